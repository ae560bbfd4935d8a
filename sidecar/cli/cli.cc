#include "cli/cli.h"

#include <iostream>

#include "cli/command.h"
#include "config/checks.h"

namespace outbox {
namespace {

using cli::Context;

/// Every subcommand, in the order of the help. One line each.
constexpr void (*commands[])(CLI::App&, Context&) = {
    cli::add_run,         cli::add_migrate, cli::add_check,  cli::add_send,    cli::add_status,
    cli::add_held,        cli::add_pause,   cli::add_resume, cli::add_replay,  cli::add_mark,
    cli::add_healthcheck, cli::add_demo,    cli::add_bench,  cli::add_version,
};

constexpr auto footer =
    "Every command explains itself with --help.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 69 a dependency is unavailable, 78 the configuration is "
    "wrong.";

/// The innermost command that the arguments name.
const CLI::App* innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return command;
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() ? full_name(*command.get_parent()) + " " + command.get_name()
                              : command.get_name();
}

/// What an argument that nobody knows may have been meant to be.
std::vector<std::string> names_like(const CLI::App& command, const std::string& argument) {
  std::vector<std::string> names;
  if (argument.starts_with('-')) {
    for (const CLI::Option* option : command.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  } else {
    for (const CLI::App* subcommand : command.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(subcommand->get_name());
  }
  return names;
}

int explain(const CLI::App& app, const CLI::ParseError& error, const Wiring& wiring) {
  if (error.get_exit_code() == 0) return app.exit(error, wiring.out, wiring.err);  // --help
  const CLI::App* command = innermost(app);
  const auto unknown = app.remaining(true);
  wiring.err << "outboxd: ";
  if (!unknown.empty()) {
    const std::string name = unknown[0].substr(0, unknown[0].find('='));
    wiring.err << (name.starts_with('-') ? "unknown option " : "unknown command or argument ")
               << cli::printable(name) << suggestion(name, names_like(*command, name));
  } else {
    wiring.err << cli::printable(error.what());
  }
  wiring.err << "\nTry: " << full_name(*command) << " --help\n";
  return exit_code::usage;
}

}  // namespace

int run_cli(int argc, const char* const* argv, const Wiring& wiring) {
  CLI::App app("Relays rows of a database's outbox table to a message broker.", "outboxd");
  Context context{wiring, {}};
  app.require_subcommand(1);
  app.footer(footer);
  app.set_version_flag("--version", cli::version_line());
  for (const auto add : commands) add(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain(app, error, wiring);
  }
  const int code = context.action();
  wiring.out.flush();
  if (wiring.out) return code;
  wiring.err << "outboxd: cannot write to standard output\n";
  return exit_code::failed;
}

}  // namespace outbox
