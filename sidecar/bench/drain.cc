#include <algorithm>
#include <numeric>
#include <utility>

#include "bench/measuring.h"
#include "bench/wrapped_broker.h"
#include "runtime/log.h"

namespace outbox::bench {
namespace {

std::uint64_t count_of(const Histogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
}

Result<void> seed(const Task& task) {
  const auto admin = migrated(task);
  if (!admin) return admin.error();
  const Options& options = task.options;
  if (options.rows == 0) return {};
  return (*admin)->send_many(sample_row(options.payload_bytes), options.rows, options.keys);
}

/// Runs until all is relayed and says what it took.
Result<Outcome> measure(Task task) {
  AcceptedTimes accepted;
  const Refusals& refusals = task.options.refusals;
  const auto wrap = [&](std::unique_ptr<Broker> broker) -> std::unique_ptr<Broker> {
    if (refusals.every > 0 || !refusals.key.empty())
      broker = std::make_unique<RefusingBroker>(std::move(broker), refusals);
    return std::make_unique<AcceptanceTimer>(std::move(broker), accepted);
  };
  const UsageMeter meter;
  const Instant begun = std::chrono::steady_clock::now();
  const auto process = assemble_wrapped(task, wrap, true);
  if (!process) return process.error();
  (*process)->run();
  const UsageMeter::Usage usage = meter.usage();
  flush_log();
  const RouteStatus route = (*process)->status().routes.front();
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
  return Outcome{std::move(figures), (*process)->unsent()};
}

}  // namespace

Result<Outcome> drain(Task task) {
  if (const auto seeded = seed(task); !seeded) return seeded.error();
  return task.options.seed_only ? Outcome{} : measure(std::move(task));
}

Result<Outcome> broker(Task task) {
  const Options& options = task.options;
  const StoreAdapter memory[] = {
      memory_adapter(sample_row(options.payload_bytes), options.rows, options.keys)};
  task.adapters.stores = memory;
  task.config.database_url = "memory:";
  return measure(std::move(task));
}

}  // namespace outbox::bench
