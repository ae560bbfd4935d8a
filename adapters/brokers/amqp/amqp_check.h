// What `outboxd check` finds out about a RabbitMQ server. Blocking, on a connection of its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"

namespace outbox {

/// See BrokerAdapter::check.
std::vector<Finding> check_amqp(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit);

}  // namespace outbox
