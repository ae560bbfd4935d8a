#include "adapters/brokers/kafka/kafka_settings.h"

#include <array>
#include <utility>
#include <vector>

#include "adapters/common/settings.h"
#include "core/url.h"

namespace outbox {
namespace {

constexpr int default_port = 9092;

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
    SettingSpec{.key = "connect_timeout",
                .kind = SettingSpec::Kind::duration,
                .fallback = "5s",
                .doc = "time for connecting, TLS and login together"},
    SettingSpec{.key = "ca_file",
                .fallback = "",
                .doc = "kafkas: certificates that are trusted, PEM; default: the system's"},
    SettingSpec{.key = "cert_file", .fallback = "", .doc = "kafkas: the relay's own certificate, PEM"},
    SettingSpec{.key = "key_file", .fallback = "", .doc = "kafkas: the key of cert_file, PEM"},
};

Error bad(const std::string& what) {
  return {Fault::misconfigured, "kafka: " + what};
}

std::string server_list(const std::vector<Url::Host>& hosts) {
  std::string list;
  for (const Url::Host& host : hosts) {
    const bool is_ipv6 = host.name.find(':') != host.name.npos;
    list += (list.empty() ? "" : ",") + (is_ipv6 ? "[" + host.name + "]" : host.name) + ":" +
            std::to_string(host.port.value_or(default_port));
  }
  return list;
}

}  // namespace

std::span<const SettingSpec> kafka_setting_specs() {
  return specs;
}

Result<KafkaSettings> parse_kafka_settings(const BrokerTarget& target) {
  auto url = parse_url(target.url);
  if (!url) return bad(url.error().text);
  if (url->hosts.empty()) return bad("the URL names no host; write kafka://localhost:9092");
  for (const Url::Host& host : url->hosts)
    if (host.name.empty()) return bad("the URL names no host; write kafka://localhost:9092");
  if (!url->path.empty()) return bad("the URL takes no path; topics are those of the rows");
  if (!url->query.empty())
    return bad("the URL takes no parameters ('" + url->query.front().first +
               "'); put settings under [route.kafka]");

  KafkaSettings settings;
  settings.is_tls = url->scheme == "kafkas";
  settings.servers = server_list(url->hosts);
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  settings.has_login = !settings.user.empty() || !settings.password.empty();
  if (settings.has_login && settings.user.empty()) return bad("the URL has a password but no user");
  settings.sasl_mechanism = setting<std::string>(target.settings, "sasl_mechanism");
  settings.compression = setting<std::string>(target.settings, "compression");
  settings.batch_bytes = setting<std::int64_t>(target.settings, "batch_bytes");
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  if (settings.cert_file.empty() != settings.key_file.empty())
    return bad("cert_file and key_file belong together: give both or none");
  return settings;
}

}  // namespace outbox
