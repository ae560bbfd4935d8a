#include "cli/subcommand.h"
#include "runtime/log.h"

namespace outbox::cli {
namespace {

struct RunOptions : CommonOptions {
  bool once = false;
};

int run(const Context& context, const RunOptions& options) {
  const auto config = configure(context, options, Need::relay);
  if (!config) return exit_code::configuration;
  set_up_log(config->log_format, config->log_level);
  const auto reload = [wiring = context.wiring, options]() -> std::optional<Config> {
    Loaded loaded = load({wiring, {}}, options, Need::relay);
    if (loaded.faults.empty()) return std::move(loaded.config);
    for (const std::string& fault : loaded.faults) log_line(Level::error, "config.fault", {{"fault", fault}});
    return std::nullopt;
  };
  const auto all_sent = context.wiring.run_relay(*config, reload, options.once);
  if (!all_sent) log_line(Level::error, "relay.refused", {{"error", all_sent.error().text}});
  flush_log();
  if (!all_sent) return exit_code::of(all_sent.error().fault);
  return *all_sent ? exit_code::done : exit_code::failed;
}

}  // namespace

void add_run(Subcommand app, Context& context) {
  auto command = app.add_command("run", "Relays until SIGTERM or SIGINT; a second signal exits at once");
  auto options = std::make_shared<RunOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command.add_option("--to", options->to, "Broker of the one route: redis://..., file:path, stdout:, null:")
      .type_name("URL");
  add_listen_option(command, *options);
  command.add_flag("--once", options->once,
                   "Relay all that is committed by now, then exit: 0, or 1 if anything stays unsent");
  command.footer(
      "Without a file, --db and --to make one route named main. `outboxd check --defaults` prints every "
      "key.");
  on_run(command, context, options, run);
}

}  // namespace outbox::cli
