// /metrics: the relay's state for Prometheus. Pure function, any thread.
#pragma once

#include <string>

#include "core/status.h"
#include "http/process_usage.h"

namespace outbox {

/// Prometheus text format 0.0.4. Every series of the contract is there, whatever has happened so far.
[[nodiscard]] std::string metrics_text(const Status& status, const ProcessUsage& usage);

}  // namespace outbox
