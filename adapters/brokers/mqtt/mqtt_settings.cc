#include "adapters/brokers/mqtt/mqtt_settings.h"

#include <array>
#include <chrono>
#include <random>

#include "adapters/common/settings.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{.key = "no_subscribers",
                .kind = Kind::choice,
                .fallback = "rejected",
                .choices = "accepted|rejected",
                .doc = "what becomes of a message that nobody has subscribed to, which the server drops: "
                       "rejected makes it a dead letter, accepted counts it as sent"},
    SettingSpec{.key = "client_id",
                .fallback = "",
                .doc = "name of the session at the server, for one relay with one shard; default: drawn "
                       "for each session"},
    SettingSpec{.key = "keepalive",
                .kind = Kind::duration,
                .fallback = "30s",
                .doc = "silence after which the server is asked whether it is there; whole seconds, 5 to "
                       "65535"},
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
                .doc = "mqtts: certificates that are trusted, PEM; default: the system's"},
    SettingSpec{.key = "cert_file", .fallback = "", .doc = "mqtts: the relay's own certificate, PEM"},
    SettingSpec{.key = "key_file", .fallback = "", .doc = "mqtts: the key of cert_file, PEM"},
    SettingSpec{.key = "server_name",
                .fallback = "",
                .doc = "mqtts: name that the server's certificate must carry; default: the URL's host"},
};

Error bad(const std::string& what) {
  return {Fault::misconfigured, "mqtt: " + what};
}

/// Every MQTT server has to take 23 letters and digits.
std::string drawn_client_id() {
  std::random_device random;
  std::string id = "outboxd";
  for (int i = 0; i < 16; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

Result<std::string> choose_client_id(const BrokerTarget& target) {
  const auto& wanted = setting<std::string>(target.settings, "client_id");
  if (wanted.empty()) return drawn_client_id();
  // A server ends the session that has an id when another one comes with it.
  if (target.sessions > 1)
    return bad("client_id names one session, and the route has " + std::to_string(target.sessions) +
               " shards; leave it empty");
  return target.probe ? wanted + "-check" : wanted;
}

}  // namespace

std::span<const SettingSpec> mqtt_setting_specs() {
  return specs;
}

Result<MqttSettings> parse_mqtt_settings(const BrokerTarget& target) {
  auto url = parse_url(target.url);
  if (!url) return bad(url.error().text);
  if (url->hosts.empty() || url->hosts.front().name.empty())
    return bad("the URL names no host; write mqtt://localhost:1883");
  if (!url->path.empty()) return bad("the URL takes no path; the row's topic is the MQTT topic");
  if (!url->query.empty())
    return bad("the URL takes no parameters ('" + url->query.front().first +
               "'); put settings under [route.mqtt]");
  auto client_id = choose_client_id(target);
  if (!client_id) return client_id.error();

  MqttSettings settings;
  settings.is_tls = url->scheme == "mqtts";
  settings.hosts = std::move(url->hosts);
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  settings.client_id = std::move(client_id).value();
  settings.accepts_no_subscribers = setting<std::string>(target.settings, "no_subscribers") == "accepted";
  settings.keepalive = setting<Duration>(target.settings, "keepalive");
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  settings.server_name = setting<std::string>(target.settings, "server_name");
  if (settings.keepalive < std::chrono::seconds(5) || settings.keepalive > std::chrono::seconds(65535))
    return bad("keepalive must be 5s to 65535s");
  if (settings.cert_file.empty() != settings.key_file.empty())
    return bad("cert_file and key_file belong together: give both or none");
  return settings;
}

}  // namespace outbox
