// Where the receiver is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

/// Its one host is in `origin` and `endpoint`, not in `hosts`.
inline constexpr ServerKind http_server{.name = "http",
                                        .scheme = "http",
                                        .tls_scheme = "https",
                                        .example_url = "https://hooks.example/events",
                                        .port = 80,
                                        .tls_port = 443,
                                        .has_own_tls = true,
                                        .publishing = "POST of"};

struct HttpSettings : ServerSettings {
  std::string origin;      ///< "https://host:port"; the host is server_name where that is set
  std::string path;        ///< of the URL, as it was written; "" or "/..."
  std::string query;       ///< "" or "?..."
  std::string connect_to;  ///< "::host:port" of the URL, where server_name is set
  std::string endpoint;    ///< "host:port" of the URL, for people
  bool is_loopback = false;
  std::string bearer_token;
  std::vector<std::string> signing_keys;  ///< bytes; the first is the newest

  bool append_topic = true;
  bool asks_options = true;  ///< a session begins with an OPTIONS request; else with a connection alone
  bool allows_http2 = true;
  std::size_t concurrency = 0;
};

std::span<const SettingSpec> http_setting_specs();

/// Errors: misconfigured.
Result<HttpSettings> parse_http_settings(const BrokerTarget& target);

}  // namespace outbox
