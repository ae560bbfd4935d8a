#include "cli/run_relay.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "adapters/common/owner.h"
#include "cli/exit_code.h"
#include "core/url.h"
#include "http/server.h"
#include "runtime/log.h"
#include "runtime/relay_process.h"
#include "runtime/signals.h"
#include "runtime/version.h"

namespace outbox {
namespace {

template <class Adapter>
const Adapter& adapter_for(std::span<const Adapter> adapters, const std::string& url) {
  const std::string scheme = scheme_of(url);
  return *std::ranges::find_if(adapters, [&](const Adapter& adapter) {
    return std::ranges::find(adapter.schemes, scheme) != adapter.schemes.end();
  });
}

Topics all_topics(const Config& config) {
  std::vector<std::string> patterns;
  for (const RouteConfig& route : config.routes)
    patterns.insert(patterns.end(), route.topics.begin(), route.topics.end());
  return Topics(std::move(patterns));
}

RelayOptions relay_options(const Config& config, const RouteConfig& route, const Traits& traits, bool once) {
  RelayOptions options;
  options.route = route.name;
  options.owner = this_owner();
  options.start = route.start;
  options.topics = Topics(route.topics);
  options.counts_unrouted = &route == &config.routes.front();
  options.all_topics = all_topics(config);
  options.window = static_cast<std::size_t>(config.window);
  options.lease = config.lease;
  options.drain_timeout = config.drain_timeout;
  options.retry = {config.attempts_max, config.backoff_min, config.backoff_max};
  options.once = once;
  options.traits = traits;
  options.seed = std::random_device{}();
  return options;
}

Result<LanePlan> plan_lane(const Config& config, const RouteConfig& route,
                           std::span<const BrokerAdapter> brokers, const StoreAdapter& database, bool once) {
  auto broker =
      adapter_for(brokers, route.to).open({route.to, config.source, route.attributes, route.settings});
  if (!broker) return Error{broker.error().fault, "route " + route.name + ": " + broker.error().text};
  auto store = database.open_store({config.database_url, config.table});
  if (!store) return store.error();
  RelayOptions options = relay_options(config, route, (*broker)->traits(), once);
  return LanePlan{std::move(options), redacted(route.to), std::move(*store), std::move(*broker)};
}

int refuse(const Error& error) {
  log_line(Level::error, "relay.refused", {{"error", error.text}});
  return error.fault == Fault::misconfigured ? exit_code::configuration : exit_code::unavailable;
}

}  // namespace

int run_relay(const Config& config, std::span<const BrokerAdapter> brokers,
              std::span<const StoreAdapter> stores, bool once) {
  if (config.shards != 1)
    return refuse({Fault::misconfigured,
                   "relay.shards = " + std::to_string(config.shards) +
                       ": this version relays a route as one shard; set it to 1 or leave it out"});
  Signals signals;
  const StoreAdapter& database = adapter_for(stores, config.database_url);
  std::vector<LanePlan> lanes;
  for (const RouteConfig& route : config.routes) {
    auto lane = plan_lane(config, route, brokers, database, once);
    if (!lane) return refuse(lane.error());
    lanes.push_back(std::move(*lane));
  }

  ProcessOptions options;
  options.version = version();
  options.instance = this_owner();
  options.database_kind = database.name;
  options.database_url = redacted(config.database_url);
  options.once = once;
  options.patience = std::max<Duration>(config.drain_timeout, config.lease + std::chrono::seconds(2));
  RelayProcess process(options, std::move(lanes), [&] {
    return database.open_admin({config.database_url, config.table});
  });

  std::unique_ptr<HttpServer> http;
  if (!config.http_listen.empty() && !once) {
    auto started = HttpServer::start(config.http_listen, config.http_token, process);
    if (!started) return refuse(started.error());
    http = std::move(*started);
  }
  signals.listen({[&] { process.request_stop(); },
                  [] {
                    log_line(
                        Level::warning, "config.reload",
                        {{"error", "this version does not reload: restart it to apply a new configuration"}});
                  }});
  log_line(Level::info, "relay.started",
           {{"version", options.version},
            {"database", options.database_url},
            {"routes", config.routes.size()},
            {"http", http ? config.http_listen : "off"},
            {"instance", options.instance}});
  const bool all_sent = process.run();
  if (http) http->stop();
  for (const std::string& line : process.unsent())
    if (once) log_line(Level::error, "relay.unsent", {{"what", line}});
  log_line(Level::info, "relay.stopped", {{"instance", options.instance}});
  return once && !all_sent ? exit_code::failed : exit_code::done;
}

}  // namespace outbox
