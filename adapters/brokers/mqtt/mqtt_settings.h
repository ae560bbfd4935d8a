// Where the MQTT server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

struct MqttSettings : ServerSettings {
  std::string client_id;
  bool accepts_no_subscribers = false;  ///< a message that nobody has subscribed to counts as accepted
  Duration keepalive{};                 ///< whole seconds, 5 or more

  [[nodiscard]] int default_port() const { return is_tls ? 8883 : 1883; }
};

std::span<const SettingSpec> mqtt_setting_specs();

/// Errors: misconfigured. Draws a client id where none is set.
Result<MqttSettings> parse_mqtt_settings(const BrokerTarget& target);

}  // namespace outbox
