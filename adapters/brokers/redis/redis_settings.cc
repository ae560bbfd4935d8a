#include "adapters/brokers/redis/redis_settings.h"

#include <array>
#include <charconv>
#include <chrono>

#include "adapters/common/server_settings.h"
#include "adapters/common/settings.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{.key = "maxlen",
                .kind = Kind::integer,
                .fallback = "0",
                .doc = "entries a stream is trimmed to, roughly (MAXLEN ~); 0: never trimmed"},
    SettingSpec{.key = "create_streams",
                .kind = Kind::boolean,
                .fallback = "true",
                .doc = "whether a stream that does not exist is created; false: the route is misconfigured "
                       "until it exists"},
    SettingSpec{.key = "wait_replicas",
                .kind = Kind::integer,
                .fallback = "0",
                .max = 100,
                .doc = "replicas that must have a message before it counts as accepted (WAIT); 0: the "
                       "master's answer is enough"},
    SettingSpec{.key = "wait_timeout",
                .kind = Kind::duration,
                .fallback = "1s",
                .doc = "time that the replicas have for it; less than timeout"},
    timeout_spec,
    connect_timeout_spec,
    ca_file_spec,
    cert_file_spec,
    key_file_spec,
    server_name_spec,
};

Result<int> parse_database(std::string_view path) {
  int database = 0;
  if (path.empty()) return database;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), database);
  if (error != std::errc{} || end != path.data() + path.size() || database < 0)
    return redis_server.misconfigured(
        "the URL's path must be the number of a database, as in redis://localhost:6379/0");
  return database;
}

}  // namespace

std::span<const SettingSpec> redis_setting_specs() {
  return specs;
}

Result<RedisSettings> parse_redis_settings(const BrokerTarget& target) {
  RedisSettings settings;
  const auto path = read_server(target, redis_server, settings);
  if (!path) return path.error();
  const auto database = parse_database(*path);
  if (!database) return database.error();
  settings.database = *database;
  settings.length_max = setting<std::int64_t>(target.settings, "maxlen");
  settings.create_streams = setting<bool>(target.settings, "create_streams");
  settings.wait_replicas = setting<std::int64_t>(target.settings, "wait_replicas");
  settings.wait_timeout = setting<Duration>(target.settings, "wait_timeout");
  if (settings.wait_replicas > 0 &&
      (settings.wait_timeout < std::chrono::milliseconds(1) || settings.wait_timeout >= settings.timeout))
    return redis_server.misconfigured("wait_timeout must be 1ms or more, and less than timeout");
  return settings;
}

}  // namespace outbox
