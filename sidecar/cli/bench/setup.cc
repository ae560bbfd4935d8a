#include "cli/bench/setup.h"

#include <algorithm>
#include <random>
#include <utility>

#include "cli/bench/figures.h"
#include "runtime/log.h"

namespace outbox::cli {
namespace {

std::string new_route_name() {
  std::random_device random;
  std::string name = "bench-";
  for (int i = 0; i < 8; ++i) name += "0123456789abcdef"[random() & 15];
  return name;
}

}  // namespace

std::optional<Config> bench_config(const Context& context, BenchOptions options, Need need) {
  if (options.window) options.set.push_back("relay.window=" + std::to_string(*options.window));
  auto config = configure(context, options, need);
  if (!config) return std::nullopt;
  if (config->routes.size() != 1 && need != Need::database) {
    context.wiring.err << "outboxd: bench measures one route: name its broker with --to\n";
    return std::nullopt;
  }
  for (RouteConfig& route : config->routes) route.name = new_route_name();
  set_up_log(config->log_format, "warning");
  if (const std::string warning = build_warning(); !warning.empty())
    context.wiring.err << "outboxd: " << warning << "\n";
  return config;
}

NewRow sample_row(std::int64_t payload_bytes) {
  NewRow row;
  row.topic = "bench";
  row.type = "bench.happened";
  row.payload = "{\"text\":\"\"}";
  const auto size = static_cast<std::size_t>(payload_bytes);
  if (size < row.payload.size())
    row.payload = std::string(size, '1');
  else
    row.payload.insert(row.payload.size() - 2, size - row.payload.size(), 'x');
  return row;
}

Result<void> migrate_missing(const StoreAdapter& database, Admin& admin) {
  const auto applied = admin.migrations();
  if (!applied) return applied.error();
  for (const Migration& migration : database.migrations) {
    if (std::ranges::find(*applied, migration.version, &AppliedMigration::version) != applied->end())
      continue;
    if (const auto done = admin.apply(migration); !done) return done.error();
  }
  return {};
}

std::vector<BrokerAdapter> wrapped(
    std::span<const BrokerAdapter> adapters,
    const std::function<std::unique_ptr<Broker>(std::unique_ptr<Broker>)>& wrap) {
  std::vector<BrokerAdapter> result(adapters.begin(), adapters.end());
  for (BrokerAdapter& adapter : result)
    adapter.open = [open = adapter.open,
                    wrap](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
      auto broker = open(target);
      if (!broker) return broker.error();
      return wrap(std::move(*broker));
    };
  return result;
}

}  // namespace outbox::cli
