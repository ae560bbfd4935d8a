#include "adapters/brokers/mqtt/mqtt_settings.h"

#include <array>
#include <chrono>
#include <random>

#include "adapters/common/server_settings.h"
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
    timeout_spec,
    connect_timeout_spec,
    ca_file_spec,
    cert_file_spec,
    key_file_spec,
    server_name_spec,
};

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
    return mqtt_server.misconfigured("client_id names one session, and the route has " +
                                     std::to_string(target.sessions) + " shards; leave it empty");
  return target.probe ? wanted + "-check" : wanted;
}

}  // namespace

std::span<const SettingSpec> mqtt_setting_specs() {
  return specs;
}

Result<MqttSettings> parse_mqtt_settings(const BrokerTarget& target) {
  MqttSettings settings;
  const auto path = read_server(target, mqtt_server, settings);
  if (!path) return path.error();
  if (!path->empty())
    return mqtt_server.misconfigured("the URL takes no path; the row's topic is the MQTT topic");
  auto client_id = choose_client_id(target);
  if (!client_id) return client_id.error();
  settings.client_id = std::move(client_id).value();
  settings.accepts_no_subscribers = setting<std::string>(target.settings, "no_subscribers") == "accepted";
  settings.keepalive = setting<Duration>(target.settings, "keepalive");
  if (settings.keepalive < std::chrono::seconds(5) || settings.keepalive > std::chrono::seconds(65535))
    return mqtt_server.misconfigured("keepalive must be 5s to 65535s");
  return settings;
}

}  // namespace outbox
