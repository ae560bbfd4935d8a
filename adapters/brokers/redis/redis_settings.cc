#include "adapters/brokers/redis/redis_settings.h"

#include <array>
#include <charconv>
#include <chrono>

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
    SettingSpec{.key = "timeout",
                .kind = Kind::duration,
                .fallback = "10s",
                .doc = "time without an answer after which the connection is given up"},
    SettingSpec{.key = "connect_timeout",
                .kind = Kind::duration,
                .fallback = "5s",
                .doc = "time for connecting, TLS and login together"},
    SettingSpec{.key = "ca_file",
                .fallback = "",
                .doc = "rediss: certificates that are trusted, PEM; default: the system's"},
    SettingSpec{.key = "cert_file", .fallback = "", .doc = "rediss: the relay's own certificate, PEM"},
    SettingSpec{.key = "key_file", .fallback = "", .doc = "rediss: the key of cert_file, PEM"},
    SettingSpec{.key = "server_name",
                .fallback = "",
                .doc = "rediss: name that the server's certificate must carry; default: the URL's host"},
};

Error bad(const std::string& what) {
  return {Fault::misconfigured, "redis: " + what};
}

Result<int> parse_database(std::string_view path) {
  int database = 0;
  if (path.empty()) return database;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), database);
  if (error != std::errc{} || end != path.data() + path.size() || database < 0)
    return bad("the URL's path must be the number of a database, as in redis://localhost:6379/0");
  return database;
}

}  // namespace

std::span<const SettingSpec> redis_setting_specs() {
  return specs;
}

Result<RedisSettings> parse_redis_settings(const BrokerTarget& target) {
  auto url = parse_url(target.url);
  if (!url) return bad(url.error().text);
  if (url->hosts.empty() || url->hosts.front().name.empty())
    return bad("the URL names no host; write redis://localhost:6379");
  if (!url->query.empty())
    return bad("the URL takes no parameters ('" + url->query.front().first +
               "'); put settings under [route.redis]");
  const auto database = parse_database(url->path);
  if (!database) return database.error();

  RedisSettings settings;
  settings.is_tls = url->scheme == "rediss";
  settings.hosts = std::move(url->hosts);
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  settings.has_login = !settings.user.empty() || !settings.password.empty();
  settings.database = *database;
  settings.length_max = setting<std::int64_t>(target.settings, "maxlen");
  settings.create_streams = setting<bool>(target.settings, "create_streams");
  settings.wait_replicas = setting<std::int64_t>(target.settings, "wait_replicas");
  settings.wait_timeout = setting<Duration>(target.settings, "wait_timeout");
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  settings.server_name = setting<std::string>(target.settings, "server_name");
  if (settings.wait_replicas > 0 &&
      (settings.wait_timeout < std::chrono::milliseconds(1) || settings.wait_timeout >= settings.timeout))
    return bad("wait_timeout must be 1ms or more, and less than timeout");
  if (settings.cert_file.empty() != settings.key_file.empty())
    return bad("cert_file and key_file belong together: give both or none");
  return settings;
}

}  // namespace outbox
