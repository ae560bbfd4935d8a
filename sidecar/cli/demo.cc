#include "cli/demo/demo.h"

#include "cli/command.h"

namespace outbox::cli {
namespace {

/// The processes of the story, started by `outboxd demo`; not for people, so the help does not list them.
void add_services(CLI::App& app, Context& context) {
  auto* services = app.add_subcommand("demo-service", "A process of outboxd demo")->group("");
  services->require_subcommand(1);

  auto shop = std::make_shared<demo::OrderService>();
  auto* orders = services->add_subcommand("orders", "Places orders");
  orders->add_option("--instance", shop->instance)->required();
  orders->add_option("--orders", shop->orders)->required();
  orders->add_option("--seed", shop->seed)->required();
  orders->add_option("--pace", shop->pace_microseconds)->required();
  orders->add_option("--stop-between", shop->stop_between)->required();
  orders->callback([&context, shop] {
    context.action = [&context, shop] { return demo::run_order_service(*shop, context.wiring.err); };
  });

  auto from = std::make_shared<std::string>();
  auto* carts = services->add_subcommand("carts", "Clears carts");
  carts->add_option("--from", *from)->required();
  carts->callback([&context, from] {
    context.action = [&context, from] { return demo::run_cart_service(*from, context.wiring.err); };
  });
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
  auto options = std::make_shared<demo::Options>();
  auto* command =
      app.add_subcommand("demo", "A shop, its carts and a relay that is killed: no server needed");
  command->add_option("--orders", options->orders, "How many orders the customers place")
      ->type_name("N")
      ->check(CLI::Range(100, 20'000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Who orders what, and whose payment is declined")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--keep", options->keep, "Keep the databases, the events and the logs, and say where");
  auto* to =
      command
          ->add_option("--to", options->to, "Broker of the relay, instead of a file; scripts/demo starts one")
          ->type_name("URL");
  auto* events = command
                     ->add_option("--events", options->events,
                                  "With --to: the file to which a consumer writes what arrives there, a "
                                  "CloudEvent in JSON per line")
                     ->type_name("FILE");
  to->needs(events);
  events->needs(to);
  command->footer(
      "Real processes on SQLite: two order services, a relay, a cart service. Each is killed with SIGKILL at "
      "a\n"
      "bad moment and started again. Then everything is counted in the files they leave.\n"
      "Exit code: 0 when all counts agree, else 1.");
  command->callback([&context, options] {
    context.action = [&context, options] {
      return demo::run(*options, context.wiring.out, context.wiring.err);
    };
  });
  add_services(app, context);
}

}  // namespace outbox::cli
