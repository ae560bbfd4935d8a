// Where the RabbitMQ server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"
#include "core/result.h"
#include "core/url.h"

namespace outbox {

struct AmqpSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  std::string user;              ///< empty: the server knows the relay by its certificate
  std::string password;
  std::string virtual_host;
  std::string exchange;  ///< empty: the default exchange, which routes to the queue of the topic's name

  Duration timeout{};
  Duration connect_timeout{};
  Duration heartbeat{};  ///< whole seconds; 0: none
  std::string ca_file, cert_file, key_file, server_name;
};

/// What AMQP calls a short string: routing key, header name, content type.
inline constexpr std::size_t short_string_max = 255;

std::span<const SettingSpec> amqp_setting_specs();

/// Errors: misconfigured.
Result<AmqpSettings> parse_amqp_settings(const BrokerTarget& target);

}  // namespace outbox
