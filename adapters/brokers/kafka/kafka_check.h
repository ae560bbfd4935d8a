// What `outboxd check` says of a Kafka cluster. Called from one thread; opens a connection of its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"

namespace outbox {

/// See BrokerAdapter::check.
std::vector<Finding> check_kafka(const BrokerTarget& target, std::span<const std::string> topics,
                                 Duration limit);

}  // namespace outbox
