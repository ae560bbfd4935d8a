// Where the Redis server is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/adapter.h"
#include "core/result.h"
#include "core/url.h"

namespace outbox {

struct RedisSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  std::string user;              ///< empty: the server's default user
  std::string password;
  bool has_login = false;
  int database = 0;

  std::int64_t length_max = 0;
  bool create_streams = true;
  std::int64_t wait_replicas = 0;  ///< 0: the master's answer is enough
  Duration wait_timeout{};
  Duration timeout{};
  Duration connect_timeout{};
  std::string ca_file, cert_file, key_file, server_name;
};

std::span<const SettingSpec> redis_setting_specs();

/// Errors: misconfigured.
Result<RedisSettings> parse_redis_settings(const BrokerTarget& target);

}  // namespace outbox
