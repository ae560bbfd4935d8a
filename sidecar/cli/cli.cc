#include "cli/cli.h"

#include <ostream>

#include "cli/subcommand.h"

namespace outbox {
namespace {

using cli::Context;

/// Every subcommand, in the order of the help. One line each.
constexpr void (*commands[])(cli::Subcommand, Context&) = {
    cli::add_run,   cli::add_migrate,     cli::add_check,  cli::add_send,   cli::add_status,
    cli::add_held,  cli::add_pause,       cli::add_resume, cli::add_replay, cli::add_mark,
    cli::add_route, cli::add_healthcheck, cli::add_demo,   cli::add_bench,  cli::add_version,
};

constexpr auto footer =
    "Every command explains itself with --help.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 69 a dependency is unavailable, 78 the configuration is "
    "wrong.";

}  // namespace

int run_cli(int argc, const char* const* argv, const Wiring& wiring) {
  cli::CommandLine line("outboxd", "Relays rows of a database's outbox table to a message broker.",
                        cli::version_line());
  cli::Subcommand root = line.root();
  root.require_command();
  root.footer(footer);
  Context context{wiring, {}};
  for (const auto add : commands) add(root, context);
  switch (line.read(argc, argv, wiring.out, wiring.err)) {
    case cli::CommandLine::Outcome::answered:
      return exit_code::done;
    case cli::CommandLine::Outcome::wrong:
      return exit_code::usage;
    case cli::CommandLine::Outcome::complete:
      break;
  }
  const int code = context.action();
  wiring.out.flush();
  if (wiring.out) return code;
  wiring.err << "outboxd: cannot write to standard output\n";
  return exit_code::failed;
}

}  // namespace outbox
