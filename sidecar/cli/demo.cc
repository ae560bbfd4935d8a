#include "demo/demo.h"

#include <algorithm>
#include <ostream>

#include "cli/subcommand.h"
#include "demo/narrator.h"

namespace outbox::cli {
namespace {

std::string account_table(const std::vector<demo::Count>& account) {
  const auto right = [](const std::string& text) {
    return std::string(text.size() < 7 ? 7 - text.size() : 0, ' ') + text;
  };
  std::vector<std::vector<std::string>> rows;
  for (const demo::Count& count : account)
    rows.push_back({count.what, count.counted_in, right(demo::grouped(count.number)),
                    right(count.must_be ? demo::grouped(*count.must_be) : ""),
                    !count.must_be   ? ""
                    : count.agrees() ? "✓"
                                     : "✗"});
  return table({"", "COUNTED IN", right("NUMBER"), right("MUST BE"), ""}, rows);
}

int run(const Context& context, const demo::Options& options) {
  const auto outcome = demo::run(options, context.wiring.out);
  if (!outcome) return fail(context, outcome.error());
  const bool agree = outcome->is_through && std::ranges::all_of(outcome->account, &demo::Count::agrees);
  context.wiring.out << "\n"
                     << account_table(outcome->account) << "\n"
                     << (agree ? "✓ All agree: nothing lost, nothing invented, nothing done twice, every "
                                 "customer's order kept.\n"
                               : "✗ They do not agree, and they should: see the lines marked ✗. With --keep "
                                 "all files stay.\n");
  return agree ? exit_code::done : exit_code::failed;
}

int ended(const Context& context, const Result<void>& service) {
  return service ? exit_code::done : fail(context, service.error());
}

/// The processes of the story, started by `outboxd demo`; not for people, so the help does not list them.
void add_services(Subcommand app, Context& context) {
  auto services = app.add_command("demo-service", "A process of outboxd demo");
  services.hide();
  services.require_command();

  auto shop = std::make_shared<demo::ShopTask>();
  auto orders = services.add_command("orders", "Places orders");
  orders.add_option("--instance", shop->instance).required();
  orders.add_option("--orders", shop->orders).required();
  orders.add_option("--seed", shop->seed).required();
  auto pace_microseconds = std::make_shared<std::int64_t>();
  orders.add_option("--pace", *pace_microseconds).required();
  orders.add_option("--stop-between", shop->stop_between).required();
  on_run(orders, context, shop, [pace_microseconds](const Context& at, demo::ShopTask task) {
    task.pace = std::chrono::microseconds(*pace_microseconds);
    return ended(at, demo::run_order_service(task));
  });

  auto from = std::make_shared<std::string>();
  auto carts = services.add_command("carts", "Clears carts");
  carts.add_option("--from", *from).required();
  on_run(carts, context, from, [](const Context& at, const std::string& events) {
    return ended(at, demo::run_cart_service(events));
  });
}

}  // namespace

void add_demo(Subcommand app, Context& context) {
  auto options = std::make_shared<demo::Options>();
  auto command = app.add_command("demo", "A shop, its carts and a relay that is killed: no server needed");
  command.add_option("--orders", options->orders, "How many orders the customers place")
      .type_name("N")
      .range(100, 20'000)
      .shows_default();
  command.add_option("--seed", options->seed, "Who orders what, and whose payment is declined")
      .type_name("N")
      .shows_default();
  command.add_flag("--keep", options->keep, "Keep the databases, the events and the logs, and say where");
  auto to =
      command
          .add_option("--to", options->to, "Broker of the relay, instead of a file; scripts/demo starts one")
          .type_name("URL");
  auto events = command
                    .add_option("--events", options->events,
                                "With --to: the file to which a consumer writes what arrives there, a "
                                "CloudEvent in JSON per line")
                    .type_name("FILE");
  to.needs(events);
  events.needs(to);
  command.footer(
      "Real processes on SQLite: two order services, a relay, a cart service. Each is killed with SIGKILL at "
      "a\n"
      "bad moment and started again. Then everything is counted in the files they leave.\n"
      "Exit code: 0 when all counts agree, else 1.");
  on_run(command, context, options, run);
  add_services(app, context);
}

}  // namespace outbox::cli
