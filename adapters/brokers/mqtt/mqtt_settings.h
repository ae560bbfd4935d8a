// Where the MQTT server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

inline constexpr ServerKind mqtt_server{.name = "mqtt",
                                        .scheme = "mqtt",
                                        .tls_scheme = "mqtts",
                                        .example_url = "mqtt://localhost:1883",
                                        .port = 1883,
                                        .tls_port = 8883,
                                        .publishing = "PUBLISH to"};

struct MqttSettings : ServerSettings {
  std::string client_id;
  bool accepts_no_subscribers = false;  ///< a message that nobody has subscribed to counts as accepted
  Duration keepalive{};                 ///< whole seconds, 5 or more
};

std::span<const SettingSpec> mqtt_setting_specs();

/// Errors: misconfigured. Draws a client id where none is set.
Result<MqttSettings> parse_mqtt_settings(const BrokerTarget& target);

}  // namespace outbox
