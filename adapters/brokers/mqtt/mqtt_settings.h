// Where the MQTT server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"
#include "core/result.h"
#include "core/url.h"

namespace outbox {

struct MqttSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  std::string user;
  std::string password;

  std::string client_id;
  bool accepts_no_subscribers = false;  ///< a message that nobody has subscribed to counts as accepted
  Duration keepalive{};                 ///< whole seconds, 5 or more
  Duration timeout{};
  Duration connect_timeout{};
  std::string ca_file, cert_file, key_file, server_name;

  [[nodiscard]] int default_port() const { return is_tls ? 8883 : 1883; }
};

std::span<const SettingSpec> mqtt_setting_specs();

/// Errors: misconfigured. Draws a client id where none is set.
Result<MqttSettings> parse_mqtt_settings(const BrokerTarget& target);

}  // namespace outbox
