#include "adapters/brokers/kafka/kafka_client.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/clock.h"

namespace outbox {
namespace {

constexpr Duration end_time_max = std::chrono::milliseconds(500);

using Properties = std::vector<std::pair<const char*, std::string>>;

std::string milliseconds(Duration time, std::int64_t min, std::int64_t max) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return std::to_string(std::clamp<std::int64_t>(count, min, max));
}

/// https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
Properties producer_properties(const KafkaSettings& settings) {
  return {
      {"bootstrap.servers", settings.servers},
      {"client.id", "outboxd"},
      {"enable.idempotence", "true"},
      {"acks", "all"},
      // A batch that is turned away for good is the producer's end. Otherwise librdkafka would send the later
      // ones all the same.
      {"enable.gapless.guarantee", "true"},
      {"max.in.flight", "5"},
      {"partitioner", "murmur2_random"},
      {"allow.auto.create.topics", "false"},
      // A topic that was made just now may be unknown to the broker that is asked.
      {"topic.metadata.propagation.max.ms", milliseconds(settings.timeout / 4, 100, 2000)},
      // Time limits are the broker's session's, see KafkaBroker: a message that times out alone would leave
      // a gap.
      {"message.timeout.ms", "0"},
      {"request.timeout.ms", milliseconds(settings.timeout, 1, 900'000)},
      {"socket.connection.setup.timeout.ms", milliseconds(settings.connect_timeout, 1000, 86'400'000)},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      // Batches form while the one before is on its way.
      {"linger.ms", "0"},
      {"batch.num.messages", "100000"},
      {"batch.size", std::to_string(settings.batch_bytes)},
      {"compression.type", settings.compression},
      // The topic's own limit decides, and the relay's window is the limit of what waits.
      {"message.max.bytes", "1000000000"},
      {"queue.buffering.max.messages", "10000000"},
      {"queue.buffering.max.kbytes", "2147483647"},
  };
}

void add_security(Properties& properties, const KafkaSettings& settings) {
  const std::string wire = settings.is_tls ? "ssl" : "plaintext";
  properties.emplace_back("security.protocol", (settings.has_login() ? "sasl_" : "") + wire);
  if (settings.has_login()) {
    properties.emplace_back("sasl.mechanisms", settings.sasl_mechanism);
    properties.emplace_back("sasl.username", settings.user);
    properties.emplace_back("sasl.password", settings.password);
  }
  if (!settings.is_tls) return;
  properties.emplace_back("enable.ssl.certificate.verification", "true");
  properties.emplace_back("ssl.endpoint.identification.algorithm", "https");
  if (!settings.ca_file.empty()) properties.emplace_back("ssl.ca.location", settings.ca_file);
  if (settings.cert_file.empty()) return;
  properties.emplace_back("ssl.certificate.location", settings.cert_file);
  properties.emplace_back("ssl.key.location", settings.key_file);
}

/// librdkafka itself names the property, not the file.
std::string unreadable_file(const KafkaSettings& settings) {
  for (const auto& [name, path] : {std::pair<std::string, const std::string&>{"ca_file", settings.ca_file},
                                   {"cert_file", settings.cert_file},
                                   {"key_file", settings.key_file}})
    if (settings.is_tls && !path.empty() && ::access(path.c_str(), R_OK) != 0)
      return name + " " + path + " cannot be used: " + std::strerror(errno);
  return {};
}

void drop_log(const rd_kafka_t*, int, const char*, const char*) {}

}  // namespace

Result<std::unique_ptr<KafkaClient>> KafkaClient::start(const KafkaSettings& settings, int descriptor) {
  if (std::string fault = unreadable_file(settings); !fault.empty())
    return Error{Fault::misconfigured, "kafka: " + fault};
  Properties properties = producer_properties(settings);
  add_security(properties, settings);

  char why[512] = "";
  rd_kafka_conf_t* const configuration = rd_kafka_conf_new();
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(configuration, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(configuration);
      return Error{Fault::misconfigured, "kafka: librdkafka does not take " + std::string(name)};
    }
  rd_kafka_conf_set_events(configuration, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  rd_kafka_conf_set_log_cb(configuration, drop_log);  // what matters comes as an event too
  rd_kafka_t* const handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, why, sizeof why);
  if (!handle) {
    rd_kafka_conf_destroy(configuration);
    return Error{Fault::misconfigured, "kafka: librdkafka does not start: " + std::string(why)};
  }
  return std::unique_ptr<KafkaClient>(new KafkaClient(handle, descriptor));
}

KafkaClient::KafkaClient(rd_kafka_t* handle, int descriptor)
    : handle_(handle), queue_(rd_kafka_queue_get_main(handle)) {
  static constexpr std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_, descriptor, &one, sizeof one);
}

/// The end waits for librdkafka's threads, and they for names that are being looked up.
KafkaClient::~KafkaClient() {
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
  rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_queue_destroy(queue_);
  BackgroundThread("kafka-end", [handle = handle_, used = std::move(used_)] {
    rd_kafka_destroy(handle);
  }).join_within(end_time_max);
}

bool KafkaClient::knows_cluster() const {
  char* const cluster = rd_kafka_clusterid(handle_, 0);
  if (!cluster) return false;
  rd_kafka_mem_free(handle_, cluster);
  return true;
}

void KafkaClient::take_events(const std::function<void(rd_kafka_event_t&)>& use) {
  while (rd_kafka_event_t* const event = rd_kafka_queue_poll(queue_, 0)) {
    use(*event);
    rd_kafka_event_destroy(event);
  }
}

}  // namespace outbox
