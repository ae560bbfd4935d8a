// Where the NATS servers are and how to talk to them, out of URL and settings. Plain data.
#pragma once

#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

/// A user without a password is a token.
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
