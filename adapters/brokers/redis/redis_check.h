// What `outboxd check` says of a Redis server. Blocking; belongs to its caller's thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"

namespace outbox {

/// As BrokerAdapter::check has it.
std::vector<Finding> check_redis(const BrokerTarget& target, std::span<const std::string> topics,
                                 Duration limit);

}  // namespace outbox
