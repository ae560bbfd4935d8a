// The relay as a service: runs what assemble() makes, listens to signals, serves HTTP. Main thread.
#pragma once

#include <functional>
#include <optional>

#include "cli/assemble.h"
#include "config/config.h"

namespace outbox {

/// Reads the configuration again, from where it was read first; nullopt: it has faults, which were told. Any
/// thread.
using Reload = std::function<std::optional<Config>()>;

/// Relays until SIGTERM or SIGINT (drains, saves the marks, answers 0) or, with `once`, until everything that
/// is committed by now is relayed (0; 1 when anything stays unsent, and says what). SIGHUP: goes on with the
/// configuration as it is then, or, when that has faults, as before. Logging is set up.
int run_relay(const Config& config, const Reload& reload, const Adapters& adapters, bool once);

}  // namespace outbox
