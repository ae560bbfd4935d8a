// Where the NATS servers are and how to talk to them, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"
#include "core/result.h"
#include "core/url.h"

namespace outbox {

struct NatsSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  std::string user;              ///< a token when there is no password
  std::string password;
  std::string creds_file;
  std::string inbox_prefix;
  Duration timeout{};
  Duration connect_timeout{};
  std::string ca_file, cert_file, key_file, server_name;
};

std::span<const SettingSpec> nats_setting_specs();

/// Errors: misconfigured.
Result<NatsSettings> parse_nats_settings(const BrokerTarget& target);

/// "host:port", with 4222 where the URL has none.
std::string nats_endpoint(const Url::Host& host);

}  // namespace outbox
