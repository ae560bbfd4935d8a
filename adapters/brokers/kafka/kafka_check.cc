#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "adapters/brokers/kafka/kafka_broker.h"
#include "adapters/brokers/kafka/kafka_errors.h"
#include "adapters/common/server_check.h"
#include "base/owned.h"

namespace outbox {
namespace {

using Level = Finding::Level;
using Configuration = std::map<std::string, std::string, std::less<>>;

using TopicHandle = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using Resource = Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
using Options = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;

class Check {
 public:
  Check(const KafkaSettings& settings, Instant end) : settings_(settings), end_(end) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    auto client = KafkaClient::start(settings_, bell_.descriptor());
    if (!client) return {{Level::fault, client.error().text, "see [route.kafka]"}};
    client_ = std::move(*client);
    for (const std::string& topic : topics) check_topic(topic);
    return std::move(findings_);
  }

 private:
  [[nodiscard]] int milliseconds_left() const { return std::max(1, poll_milliseconds(end_ - now())); }

  void add(Level level, const std::string& topic, const std::string& what, std::string fix = {}) {
    findings_.push_back({level, "topic '" + topic + "' " + what, std::move(fix)});
  }

  void check_topic(const std::string& name) {
    const TopicHandle topic(rd_kafka_topic_new(client_->handle(), name.c_str(), nullptr));
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(client_->handle(), 0, topic.get(), &metadata, milliseconds_left());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return add(Level::fault, name, std::string("was not looked up: ") + rd_kafka_err2str(error),
                 "is " + settings_.servers + " reachable, with every broker's advertised.listeners?");
    const Owned<const rd_kafka_metadata_t, rd_kafka_metadata_destroy> owned(metadata);
    if (metadata->topic_cnt != 1)
      return add(Level::fault, name, "is not described by the broker", "create it");
    check_described(name, metadata->topics[0]);
  }

  void check_described(const std::string& name, const rd_kafka_metadata_topic_t& topic) {
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return add(Level::fault, name, std::string("is refused: ") + rd_kafka_err2str(topic.err),
                 std::string(meaning_of(topic.err).fix));
    int replicas = topic.partition_cnt > 0 ? topic.partitions[0].replica_cnt : 0;
    for (int i = 0; i < topic.partition_cnt; ++i) {
      replicas = std::min(replicas, topic.partitions[i].replica_cnt);
      if (topic.partitions[i].leader < 0)
        add(Level::warning, name, "has no leader for partition " + std::to_string(topic.partitions[i].id),
            "bring the brokers with its replicas up");
    }
    add(Level::ok, name,
        "is there: " + std::to_string(topic.partition_cnt) + " partitions, " + std::to_string(replicas) +
            " replicas");
    const auto configuration = configuration_of(name);
    if (!configuration)
      return add(Level::warning, name, "does not show its configuration",
                 "grant the relay's user DescribeConfigs on it to have durability and size limit checked");
    check_durability(name, replicas, *configuration);
    check_sizes(name, *configuration);
  }

  void check_durability(const std::string& name, int replicas, const Configuration& configuration) {
    const std::int64_t insync = number_in(configuration, "min.insync.replicas");
    if (replicas < 2)
      add(Level::warning, name, "has one replica: an accepted message is lost with its broker's disk",
          "use 3 replicas and min.insync.replicas = 2");
    else if (insync < 2)
      add(Level::warning, name,
          "has min.insync.replicas = 1: a message may be accepted by one broker alone and be lost with it",
          "set min.insync.replicas = 2" + std::string(replicas < 3 ? " and use 3 replicas" : ""));
    else if (insync >= replicas)
      add(Level::warning, name,
          "takes nothing while one of its brokers is down (min.insync.replicas = replicas)",
          "use one replica more");
    if (text_in(configuration, "unclean.leader.election.enable") == "true")
      add(Level::warning, name, "may elect a leader that lacks accepted messages",
          "set unclean.leader.election.enable = false");
    if (text_in(configuration, "cleanup.policy").find("compact") != std::string::npos)
      add(Level::warning, name,
          "is compacted: it keeps the last message of each key, and rejects those without key",
          "set cleanup.policy = delete, or give every row a message_key");
  }

  void check_sizes(const std::string& name, const Configuration& configuration) {
    const std::int64_t limit = number_in(configuration, "max.message.bytes");
    if (limit <= 0) return;
    if (limit < settings_.batch_bytes)
      add(Level::fault, name,
          "takes " + std::to_string(limit) + " bytes at once (max.message.bytes), less than batch_bytes (" +
              std::to_string(settings_.batch_bytes) + ")",
          "set batch_bytes = " + std::to_string(limit) + " under [route.kafka], or raise max.message.bytes");
    else
      add(Level::ok, name,
          "takes messages up to " + std::to_string(limit) +
              " bytes (max.message.bytes), key and headers included");
  }

  static std::string text_in(const Configuration& configuration, std::string_view key) {
    const auto found = configuration.find(key);
    return found == configuration.end() ? "" : found->second;
  }
  static std::int64_t number_in(const Configuration& configuration, std::string_view key) {
    const std::string text = text_in(configuration, key);
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  /// nullopt: the user may not see it, or it did not come in time.
  std::optional<Configuration> configuration_of(const std::string& name) {
    const Queue queue(rd_kafka_queue_new(client_->handle()));
    const Resource resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    const Options options(rd_kafka_AdminOptions_new(client_->handle(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
    char why[128];
    rd_kafka_AdminOptions_set_request_timeout(options.get(), milliseconds_left(), why, sizeof why);
    rd_kafka_ConfigResource_t* asked = resource.get();
    rd_kafka_DescribeConfigs(client_->handle(), &asked, 1, options.get(), queue.get());
    const Event event(rd_kafka_queue_poll(queue.get(), milliseconds_left() + 100));
    const auto* result = event ? rd_kafka_event_DescribeConfigs_result(event.get()) : nullptr;
    if (!result || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    std::size_t count = 0;
    const auto* const answered = rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1 || rd_kafka_ConfigResource_error(answered[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::nullopt;
    Configuration configuration;
    const auto* const entries = rd_kafka_ConfigResource_configs(answered[0], &count);
    for (std::size_t i = 0; i < count; ++i)
      if (const char* const value = rd_kafka_ConfigEntry_value(entries[i]))
        configuration.emplace(rd_kafka_ConfigEntry_name(entries[i]), value);
    return configuration;
  }

  const KafkaSettings& settings_;
  const Instant end_;
  Wakeup bell_;
  std::unique_ptr<KafkaClient> client_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_kafka(const KafkaSettings& settings, const BrokerTarget&,
                                 std::span<const std::string> topics, Duration limit) {
  return Check(settings, now() + limit).run(topics);
}

}  // namespace outbox
