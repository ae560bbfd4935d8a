// What the subcommands share: their common options, the configuration, the database, their ways to fail. Main
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cli/cli.h"
#include "cli/parser.h"
#include "cli/text.h"
#include "config/load.h"
#include "core/admin.h"

/// What the process answers its caller; the numbers above 2 are those of sysexits.h.
namespace outbox::exit_code {

inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
inline constexpr int unavailable = 69;  ///< a dependency is not there
inline constexpr int configuration = 78;

constexpr int of(Fault fault) {
  switch (fault) {
    case Fault::unavailable:
      return unavailable;
    case Fault::misconfigured:
      return configuration;
    case Fault::fenced:
      return failed;
    case Fault::refused:
      return failed;
  }
  return failed;
}

}  // namespace outbox::exit_code

namespace outbox::cli {

/// The options that many commands take.
struct CommonOptions {
  std::string file;
  std::optional<std::string> database_url;
  std::optional<std::string> to;
  std::optional<std::string> listen;
  std::vector<std::string> set;  ///< key=value
};

/// One run of the program. A command's callback leaves its action here, to be run after all arguments were
/// read.
struct Context {
  const Wiring& wiring;
  std::function<int()> action;
};

/// Adds --config and --set. The structure must live until the action has run: commands keep it in a
/// shared_ptr.
void add_config_options(Subcommand command, CommonOptions& options);
void add_database_option(Subcommand command, CommonOptions& options);
void add_listen_option(Subcommand command, CommonOptions& options);

/// The command runs `action` after all arguments were read.
template <class Options>
void on_run(Subcommand command, Context& context, const std::shared_ptr<Options>& options,
            std::type_identity_t<std::function<int(const Context&, const Options&)>> action) {
  command.on_named([&context, options, action = std::move(action)] {
    context.action = [&context, options, action] { return action(context, *options); };
  });
}

enum class Need { nothing, database, relay };

/// Loads the configuration as far as `need` goes. Faults, all of them, are told on the error stream: then
/// there is none.
std::optional<Config> configure(const Context& context, const CommonOptions& options, Need need);

/// As above, but hands the faults over.
Loaded load(const Context& context, const CommonOptions& options, Need need);

/// The adapter of the configured database.
const StoreAdapter& store_adapter(const Context& context, const Config& config);

/// The commands' port to the configured database; nothing is connected yet.
Result<std::unique_ptr<Admin>> open_admin(const Context& context, const Config& config);

/// "outboxd 1.2.3"
std::string version_line();

/// Who did it, for outbox_audit: cli:<user>@<host>
std::string this_actor();

/// Says why on the error stream; the exit code for the fault.
int fail(const Context& context, const Error& error);

// Each adds one of the subcommands.
void add_run(Subcommand app, Context& context);
void add_migrate(Subcommand app, Context& context);
void add_check(Subcommand app, Context& context);
void add_send(Subcommand app, Context& context);
void add_status(Subcommand app, Context& context);
void add_healthcheck(Subcommand app, Context& context);
void add_pause(Subcommand app, Context& context);
void add_resume(Subcommand app, Context& context);
void add_held(Subcommand app, Context& context);
void add_replay(Subcommand app, Context& context);
void add_mark(Subcommand app, Context& context);
void add_route(Subcommand app, Context& context);
void add_demo(Subcommand app, Context& context);
void add_bench(Subcommand app, Context& context);
void add_version(Subcommand app, Context& context);

}  // namespace outbox::cli
