// The command line: arguments in, exit code out. Main thread.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>

#include "cli/run_relay.h"
#include "config/config.h"
#include "config/interpolate.h"
#include "core/adapter.h"

namespace outbox {

/// What of the program the commands use; main.cc fills it in, tests put their own.
struct Wiring {
  std::span<const BrokerAdapter> brokers;
  std::span<const StoreAdapter> stores;
  Environment environment;
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// The relay, until a signal ends it or, with `once`, everything is relayed. Answers the exit code.
  std::function<int(const Config& config, const Reload& reload, bool once)> run_relay;
};

/// See exit_code.h for what it answers. Never throws.
int run_cli(int argc, const char* const* argv, const Wiring& wiring);

}  // namespace outbox
