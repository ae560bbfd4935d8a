#include "adapters/brokers/kafka/kafka_settings.h"

#include <array>
#include <utility>
#include <vector>

#include "adapters/common/server_settings.h"
#include "adapters/common/settings.h"
#include "core/url.h"

namespace outbox {
namespace {

constexpr std::array specs = {
    SettingSpec{.key = "sasl_mechanism",
                .kind = SettingSpec::Kind::choice,
                .fallback = "PLAIN",
                .choices = "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
                .doc = "how the URL's user and password are shown to the broker"},
    SettingSpec{.key = "compression",
                .kind = SettingSpec::Kind::choice,
                .fallback = "none",
                .choices = "none|lz4|zstd|snappy|gzip",
                .doc = "of batches, by the relay; consumers need nothing for it"},
    SettingSpec{.key = "batch_bytes",
                .kind = SettingSpec::Kind::integer,
                .fallback = "1000000",
                .min = 1000,
                .max = 100'000'000,
                .doc = "bytes in one batch at most, a single larger message aside; no more than any topic's "
                       "max.message.bytes"},
    SettingSpec{.key = "timeout",
                .kind = SettingSpec::Kind::duration,
                .fallback = "10s",
                .doc = "time without an answer after which the session is given up"},
    connect_timeout_spec,
    ca_file_spec,
    cert_file_spec,
    key_file_spec,
};

std::string server_list(const std::vector<Url::Host>& hosts) {
  std::string list;
  for (const Url::Host& host : hosts)
    list += (list.empty() ? "" : ",") + endpoint_of(host, kafka_server.port);
  return list;
}

}  // namespace

std::span<const SettingSpec> kafka_setting_specs() {
  return specs;
}

Result<KafkaSettings> parse_kafka_settings(const BrokerTarget& target) {
  KafkaSettings settings;
  const auto path = read_server(target, kafka_server, settings);
  if (!path) return path.error();
  if (!path->empty())
    return kafka_server.misconfigured("the URL takes no path; topics are those of the rows");
  settings.servers = server_list(settings.hosts);
  if (settings.user.empty() && settings.has_login())
    return kafka_server.misconfigured("the URL has a password but no user");
  settings.sasl_mechanism = setting<std::string>(target.settings, "sasl_mechanism");
  settings.compression = setting<std::string>(target.settings, "compression");
  settings.batch_bytes = setting<std::int64_t>(target.settings, "batch_bytes");
  return settings;
}

}  // namespace outbox
