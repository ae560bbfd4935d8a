// Puts the relay's parts together: runtime, HTTP, adapters. Main thread.
#pragma once

#include <span>

#include "config/config.h"
#include "core/adapter.h"

namespace outbox {

/// Relays until SIGTERM or SIGINT (drains, saves the mark, answers 0) or, with `once`, until everything that
/// is committed by now is relayed (0; 1 when anything stays unsent, and says what). Logging is set up.
int run_relay(const Config& config, std::span<const BrokerAdapter> brokers,
              std::span<const StoreAdapter> stores, bool once);

}  // namespace outbox
