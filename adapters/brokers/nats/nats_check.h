// What `outboxd check` says of a NATS server. Any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"

namespace outbox {

/// See BrokerAdapter::check. Asks the JetStream API; what the user may not ask is a warning, not a fault.
std::vector<Finding> check_nats(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit);

}  // namespace outbox
