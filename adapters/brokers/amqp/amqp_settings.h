// Where the RabbitMQ server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

inline constexpr ServerKind amqp_server{.name = "amqp",
                                        .scheme = "amqp",
                                        .tls_scheme = "amqps",
                                        .example_url = "amqp://user:password@localhost:5672",
                                        .port = 5672,
                                        .tls_port = 5671,
                                        .answer = "confirm",
                                        .answered = "confirmed"};

struct AmqpSettings : ServerSettings {
  std::string virtual_host;
  std::string exchange;  ///< empty: the default exchange, which routes to the queue of the topic's name
  std::string attribute_prefix;  ///< of the headers that are CloudEvents attributes

  Duration heartbeat{};  ///< whole seconds; 0: none
};

/// What AMQP calls a short string: routing key, header name, content type.
inline constexpr std::size_t short_string_max = 255;

std::span<const SettingSpec> amqp_setting_specs();

/// Errors: misconfigured.
Result<AmqpSettings> parse_amqp_settings(const BrokerTarget& target);

}  // namespace outbox
