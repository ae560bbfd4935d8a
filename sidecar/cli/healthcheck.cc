#include <ostream>

#include "cli/command.h"
#include "cli/relay_client.h"

namespace outbox::cli {
namespace {

struct HealthcheckOptions : CommonOptions {
  bool ready = false;
};

int healthcheck(const Context& context, const HealthcheckOptions& options) {
  const auto config = configure(context, options, Need::nothing);
  if (!config) return exit_code::configuration;
  const auto answer = ask_relay(*config, options.ready ? "/readyz" : "/livez");
  if (!answer) return fail(context, answer.error());
  if (answer->status == 200) return exit_code::done;
  context.wiring.err << "outboxd: the relay at " << config->http_listen << " answers " << answer->status
                     << ": " << printable(answer->body.substr(0, 1000)) << "\n";
  return exit_code::failed;
}

}  // namespace

void add_healthcheck(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "healthcheck", "Whether the relay of this machine is alive: for container images without curl");
  auto options = std::make_shared<HealthcheckOptions>();
  add_config_options(*command, *options);
  add_listen_option(*command, *options);
  command->add_flag("--ready", options->ready, "Whether it is ready, instead of alive");
  command->callback([&context, options] {
    context.action = [&context, options] { return healthcheck(context, *options); };
  });
}

}  // namespace outbox::cli
