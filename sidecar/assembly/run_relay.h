// The relay as a service: runs what assemble() makes, listens to signals, serves HTTP. Main thread.
#pragma once

#include <functional>
#include <optional>

#include "base/result.h"
#include "config/config.h"
#include "core/adapter.h"

namespace outbox {

/// Reads the configuration again, from where it was read first; nullopt: it has faults, which were told. Any
/// thread; it may be at work when all else has ended, so it owns what it uses.
using Reload = std::function<std::optional<Config>()>;

/// Relays until SIGTERM or SIGINT (drains, saves the marks, answers true) or, with `once`, until everything
/// that is committed by now is relayed (false when anything stays unsent; the log says what). SIGHUP: goes on
/// with the configuration as it is then, or, when that has faults, as before. Logging is set up. Errors:
/// misconfigured, before anything is started.
Result<bool> run_relay(const Config& config, const Reload& reload, const Adapters& adapters, bool once);

}  // namespace outbox
