// What `outboxd check` says of a webhook receiver.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"

namespace outbox {

/// See BrokerAdapter::check. Sends OPTIONS requests and no other.
std::vector<Finding> check_http(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit);

}  // namespace outbox
