// Where the NATS servers are and how to talk to them, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

/// A user without a password is a token.
inline constexpr ServerKind nats_server{.name = "nats",
                                        .scheme = "nats",
                                        .tls_scheme = "tls",
                                        .example_url = "nats://localhost:4222",
                                        .port = 4222,
                                        .tls_port = 4222,
                                        .has_own_tls = true,
                                        .answer = "acknowledgement",
                                        .answered = "acknowledged"};

struct NatsSettings : ServerSettings {
  std::string creds_file;
  std::string inbox_prefix;
};

std::span<const SettingSpec> nats_setting_specs();

/// Errors: misconfigured.
Result<NatsSettings> parse_nats_settings(const BrokerTarget& target);

/// "host:port", with 4222 where the URL has none.
std::string nats_endpoint(const Url::Host& host);

}  // namespace outbox
