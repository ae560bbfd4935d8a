// Where the Redis server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

inline constexpr ServerKind redis_server{.name = "redis",
                                         .scheme = "redis",
                                         .tls_scheme = "rediss",
                                         .example_url = "redis://localhost:6379",
                                         .port = 6379,
                                         .tls_port = 6379,
                                         .publishing = "XADD to"};

struct RedisSettings : ServerSettings {
  int database = 0;

  std::int64_t length_max = 0;
  bool create_streams = true;
  std::int64_t wait_replicas = 0;  ///< 0: the master's answer is enough
  Duration wait_timeout{};
};

std::span<const SettingSpec> redis_setting_specs();

/// Errors: misconfigured.
Result<RedisSettings> parse_redis_settings(const BrokerTarget& target);

}  // namespace outbox
