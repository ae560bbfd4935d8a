#include "bench/bench.h"

#include <ostream>
#include <utility>

#include "cli/subcommand.h"
#include "runtime/log.h"

namespace outbox::cli {
namespace {

struct BenchOptions : CommonOptions, bench::Options {
  std::optional<int> window;
  bool json = false;
};

using Mode = Result<bench::Outcome> (*)(bench::Task);

int measure(const Context& context, BenchOptions options, Need need, Mode mode) {
  if (options.window) options.set.push_back("relay.window=" + std::to_string(*options.window));
  if (options.seed_only) need = Need::database;
  auto config = configure(context, options, need);
  if (!config) return exit_code::configuration;
  if (config->routes.size() != 1 && need != Need::database)
    return fail(context, {Fault::misconfigured, "bench measures one route: name its broker with --to"});
  set_up_log(config->log_format, "warning");
  if (const std::string warning = bench::build_warning(); !warning.empty())
    context.wiring.err << "outboxd: " << warning << "\n";
  const auto outcome = mode({std::move(*config), context.wiring.adapters, options});
  if (!outcome) return fail(context, outcome.error());
  if (!outcome->figures.empty()) context.wiring.out << bench::figures_text(outcome->figures, options.json);
  for (const std::string& line : outcome->unsent)
    context.wiring.err << "outboxd: " << printable(line) << "\n";
  return outcome->unsent.empty() ? exit_code::done : exit_code::failed;
}

using Options = std::shared_ptr<BenchOptions>;

Subcommand add_mode(Subcommand bench, Context& context, const std::string& name,
                    const std::string& description, Need need, Mode mode, Options& options) {
  auto command = bench.add_command(name, description);
  options = std::make_shared<BenchOptions>();
  add_config_options(command, *options);
  command.add_option("--to", options->to, "Broker: redis://..., file:path, null:").type_name("URL");
  command.add_option("--payload", options->payload_bytes, "Bytes of each message's payload")
      .range(0, 1 << 24)
      .shows_default();
  command.add_option("--keys", options->keys, "How many different keys; 0: messages without a key")
      .range(std::int64_t{0}, std::int64_t{1} << 40)
      .shows_default();
  command.add_option("--window", options->window, "Messages in flight (default: relay.window)");
  command.add_flag("--json", options->json, "The figures as one JSON object");
  on_run(command, context, options,
         [need, mode](const Context& at, const BenchOptions& with) { return measure(at, with, need, mode); });
  return command;
}

void add_rows_option(Subcommand command, BenchOptions& options, const std::string& description) {
  command.add_option("--rows", options.rows, description)
      .range(std::int64_t{0}, std::int64_t{1} << 40)
      .shows_default();
}

}  // namespace

void add_bench(Subcommand app, Context& context) {
  auto bench = app.add_command("bench", "Measures the relay: speed, latency, CPU, memory");
  bench.require_command();
  bench.footer(
      "Use a database of its own: rows, and a route per run, stay in it. tests/bench/README.md tells how to "
      "compare.");
  Options options;
  auto drain = add_mode(bench, context, "drain",
                        "Inserts a backlog, then relays everything that the table holds, from the oldest row",
                        Need::relay, bench::drain, options);
  add_database_option(drain, *options);
  add_rows_option(drain, *options, "Rows to insert before; 0: relay what is there already");
  drain.add_flag("--seed-only", options->seed_only, "Insert the rows and stop");
  auto refuse_every =
      drain.add_option("--refuse-every", options->refusals.every, "Turn one message of so many away at first")
          .positive();
  drain.add_option("--refuse-times", options->refusals.times, "How often that one, before the broker gets it")
      .positive()
      .needs(refuse_every);
  drain.add_option("--refuse-key", options->refusals.key, "Turn all messages of this key away, always");

  auto broker = add_mode(bench, context, "broker",
                         "The same without a database: rows made up in memory go to the broker",
                         Need::nothing, bench::broker, options);
  add_rows_option(broker, *options, "Messages to send");

  auto latency = add_mode(bench, context, "latency",
                          "Commits single rows at a steady rate and takes the time until the broker has each",
                          Need::relay, bench::latency, options);
  add_database_option(latency, *options);
  latency.add_option("--rate", options->rate, "Commits per second").range(1, 1'000'000).shows_default();
  latency.add_option("--seconds", options->seconds, "How long it is measured")
      .range(1, 3'600)
      .shows_default();
  latency.add_option("--warm-up", options->warm_up_seconds, "Seconds before that which do not count")
      .range(0, 600)
      .shows_default();
  latency.add_option("--producers", options->producers, "Connections that commit")
      .range(1, 64)
      .shows_default();
}

}  // namespace outbox::cli
