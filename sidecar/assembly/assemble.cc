#include "assembly/assemble.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "adapters/common/owner.h"
#include "assembly/descriptors.h"
#include "core/url.h"
#include "runtime/version.h"

namespace outbox {
namespace {

Topics topics_beside(const Config& config, const RouteConfig& route) {
  std::vector<std::string> patterns;
  for (const RouteConfig& other : config.routes)
    if (&other != &route) patterns.insert(patterns.end(), other.topics.begin(), other.topics.end());
  return Topics(std::move(patterns));
}

RelayOptions relay_options(const Config& config, const RouteConfig& route, const Traits& traits, bool once) {
  RelayOptions options;
  options.route = route.name;
  options.owner = this_owner();
  options.start = route.start;
  options.filter.topics = Topics(route.topics);
  options.filter.configured_elsewhere = topics_beside(config, route);
  options.counts_unrouted = &route == &config.routes.front();
  options.filter.shards = config.shards;
  options.window = static_cast<std::size_t>(config.window);
  options.lease = config.lease;
  options.drain_timeout = config.drain_timeout;
  options.retention = config.retention;
  options.retry = {config.attempts_max, config.backoff_min, config.backoff_max};
  options.dead_blocks = config.block_on_dead;
  options.held_max = config.held_max;
  options.texts_max = static_cast<std::size_t>(config.texts_max);
  options.once = once;
  options.traits = traits;
  options.seed = std::random_device{}();
  return options;
}

Result<LanePlan> plan_lane(const Config& config, const RouteConfig& route,
                           std::span<const BrokerAdapter> brokers, const StoreAdapter& database, bool once) {
  auto broker = adapter_for(brokers, route.to)
                    ->open({route.to, config.source, route.attributes, route.settings, false, config.shards});
  if (!broker) return Error{broker.error().fault, "route " + route.name + ": " + broker.error().text};
  auto store = database.open_store({config.database_url, config.table});
  if (!store) return store.error();
  RelayOptions options = relay_options(config, route, (*broker)->traits(), once);
  return LanePlan{std::move(options), redacted(route.to), std::move(*store), std::move(*broker)};
}

}  // namespace

Result<std::unique_ptr<RelayProcess>> assemble(const Config& config, const Adapters& adapters, bool once) {
  const StoreAdapter& database = *adapter_for(adapters.stores, config.database_url);
  const std::size_t lanes_wanted = config.routes.size() * static_cast<std::size_t>(config.shards);
  if (auto fits = reserve_descriptors(lanes_wanted); !fits) return fits.error();
  std::vector<LanePlan> lanes;
  for (const RouteConfig& route : config.routes) {
    for (int shard = 0; shard < config.shards; ++shard) {
      auto lane = plan_lane(config, route, adapters.brokers, database, once);
      if (!lane) return lane.error();
      lane->relay.filter.shard = shard;
      lanes.push_back(std::move(*lane));
    }
  }
  ProcessOptions options;
  options.version = version();
  options.instance = this_owner();
  options.database_kind = database.name;
  options.database_url = redacted(config.database_url);
  options.once = once;
  options.lease = config.lease;
  options.retention = {config.retention, config.dead_retention};
  options.patience = std::max<Duration>(config.drain_timeout, config.lease + std::chrono::seconds(2));
  return std::make_unique<RelayProcess>(std::move(options), std::move(lanes),
                                        [&database, target = StoreTarget{config.database_url, config.table}] {
                                          return database.open_admin(target);
                                        });
}

}  // namespace outbox
