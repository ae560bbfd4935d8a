// The command line: arguments in, exit code out. Main thread.
#pragma once

#include <functional>
#include <iosfwd>

#include "assembly/run_relay.h"
#include "config/config.h"
#include "config/interpolate.h"
#include "core/adapter.h"

namespace outbox {

/// What of the program the commands use; main.cc fills it in, tests put their own.
struct Wiring {
  Adapters adapters;
  Environment environment;
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// The relay, until a signal ends it or, with `once`, everything is relayed. As run_relay().
  std::function<Result<bool>(const Config& config, const Reload& reload, bool once)> run_relay;
};

/// See command.h for what it answers. Never throws.
int run_cli(int argc, const char* const* argv, const Wiring& wiring);

}  // namespace outbox
