// Where the Kafka cluster is and how to talk to it, out of URL and settings. Plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "adapters/common/server_settings.h"
#include "base/result.h"
#include "core/adapter.h"

namespace outbox {

inline constexpr ServerKind kafka_server{.name = "kafka",
                                         .scheme = "kafka",
                                         .tls_scheme = "kafkas",
                                         .example_url = "kafka://localhost:9092",
                                         .port = 9092,
                                         .tls_port = 9092,
                                         .has_own_tls = true};

struct KafkaSettings : ServerSettings {
  std::string servers;  ///< "host:port,host:port"
  std::string sasl_mechanism;

  std::string compression;
  std::int64_t batch_bytes = 0;
};

std::span<const SettingSpec> kafka_setting_specs();

/// Errors: misconfigured.
Result<KafkaSettings> parse_kafka_settings(const BrokerTarget& target);

}  // namespace outbox
