#include <algorithm>
#include <numeric>
#include <ostream>

#include "cli/assemble.h"
#include "cli/bench/figures.h"
#include "cli/bench/forwarding_broker.h"
#include "cli/bench/memory_store.h"
#include "cli/bench/modes.h"
#include "runtime/log.h"

namespace outbox::cli {
namespace {

std::uint64_t count_of(const Histogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
}

Result<void> seed(const Context& context, const Config& config, const BenchOptions& options) {
  const auto admin = open_admin(context, config);
  if (!admin) return admin.error();
  if (auto done = migrate_missing(*store_adapter_for(context, config.database_url), **admin); !done)
    return done;
  return options.rows == 0
             ? Result<void>()
             : (*admin)->send_many(sample_row(options.payload_bytes), options.rows, options.keys);
}

/// Runs until all is relayed and says what it took.
int measure(const Context& context, const Config& config, std::span<const StoreAdapter> stores,
            const BenchOptions& options) {
  AcceptedTimes accepted;
  const Refusals& refusals = options.refusals;
  const auto brokers =
      wrapped(context.wiring.brokers, [&](std::unique_ptr<Broker> broker) -> std::unique_ptr<Broker> {
        if (refusals.every > 0 || !refusals.key.empty())
          broker = std::make_unique<RefusingBroker>(std::move(broker), refusals);
        return std::make_unique<AcceptanceTimer>(std::move(broker), accepted);
      });
  const UsageMeter meter;
  const Instant begun = std::chrono::steady_clock::now();
  const auto assembled = assemble(config, {brokers, stores}, true);
  if (!assembled) return fail(context, assembled.error());
  const auto& process = *assembled;
  const bool all_sent = process->run();
  const UsageMeter::Usage usage = meter.usage();
  flush_log();
  const RouteStatus route = process->status().routes.front();
  const auto sent = static_cast<double>(route.sent_total);
  std::vector<Figure> figures = {{"messages", sent},
                                 {"seconds", usage.elapsed_seconds, 3},
                                 {"messages_per_second", sent / usage.elapsed_seconds}};
  if (route.sent_total > 0) {
    const std::chrono::duration<double, std::milli> first = accepted.first - begun;
    const std::chrono::duration<double> last = accepted.last - begun;
    figures.push_back({"first_message_milliseconds", first.count(), 1});
    figures.push_back({"last_message_seconds", last.count(), 3});
    figures.push_back({"cpu_seconds_per_million", usage.cpu_seconds * 1e6 / sent, 2});
  }
  figures.push_back({"resident_peak_megabytes", usage.resident_peak_megabytes, 1});
  figures.push_back({"resident_megabytes", usage.resident_megabytes, 1});
  figures.push_back({"reads", static_cast<double>(count_of(route.read))});
  figures.push_back({"read_seconds", route.read.sum, 3});
  figures.push_back({"settles", static_cast<double>(count_of(route.settle))});
  figures.push_back({"settle_seconds", route.settle.sum, 3});
  figures.push_back({"failures", static_cast<double>(route.failed_total)});
  context.wiring.out << figures_text(figures, options.json);
  for (const std::string& line : process->unsent())
    context.wiring.err << "outboxd: " << printable(line) << "\n";
  return all_sent ? exit_code::done : exit_code::failed;
}

}  // namespace

int bench_drain(const Context& context, const BenchOptions& options) {
  const auto config = bench_config(context, options, options.seed_only ? Need::database : Need::relay);
  if (!config) return exit_code::configuration;
  if (const auto seeded = seed(context, *config, options); !seeded) return fail(context, seeded.error());
  if (options.seed_only) return exit_code::done;

  return measure(context, *config, context.wiring.stores, options);
}

int bench_broker(const Context& context, const BenchOptions& options) {
  auto config = bench_config(context, options, Need::nothing);
  if (!config) return exit_code::configuration;
  const StoreAdapter memory[] = {
      memory_adapter(sample_row(options.payload_bytes), options.rows, options.keys)};
  config->database_url = "memory:";
  return measure(context, *config, memory, options);
}

}  // namespace outbox::cli
