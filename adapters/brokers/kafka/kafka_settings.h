// Where the Kafka cluster is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/adapter.h"
#include "core/result.h"

namespace outbox {

struct KafkaSettings {
  bool is_tls = false;
  std::string servers;  ///< "host:port,host:port"
  std::string user, password;
  bool has_login = false;
  std::string sasl_mechanism;

  std::string compression;
  std::int64_t batch_bytes = 0;
  Duration timeout{};
  Duration connect_timeout{};
  std::string ca_file, cert_file, key_file;
};

std::span<const SettingSpec> kafka_setting_specs();

/// Errors: misconfigured.
Result<KafkaSettings> parse_kafka_settings(const BrokerTarget& target);

}  // namespace outbox
