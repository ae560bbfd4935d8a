// Broker that publishes to Kafka topics with librdkafka's idempotent producer. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/brokers/kafka/kafka_client.h"
#include "adapters/brokers/kafka/kafka_record.h"
#include "adapters/brokers/kafka/kafka_settings.h"
#include "adapters/brokers/kafka/kafka_topic.h"
#include "adapters/brokers/kafka/key_groups.h"
#include "adapters/common/server_broker.h"

namespace outbox {

class KafkaBroker final : public ServerBroker {
 public:
  KafkaBroker(KafkaSettings settings, const BrokerTarget& target);
  ~KafkaBroker() override { drop_client(); }

  [[nodiscard]] Traits traits() const override;

 private:
  /// A message that librdkafka has, until its report.
  struct InFlight {
    Ticket ticket = 0;
    KafkaTopic* topic = nullptr;  ///< null: the slot is free
    std::size_t bytes = 0;        ///< no more than the record takes
    std::size_t group = no_group;
  };
  static constexpr std::size_t no_group = SIZE_MAX;

  void begin() override;
  void take(std::span<const Submission> messages) override;
  void advance() override { take_events(); }
  void step(Duration wait) override;
  [[nodiscard]] Instant tick_at() const override;
  void tick() override;
  [[nodiscard]] bool awaits_answers() const override { return in_flight_ > 0; }
  void end(const std::string& reason) override;
  void told() override { refused_keys_.clear(); }
  [[nodiscard]] std::string endpoint() const override { return settings_.servers; }
  [[nodiscard]] std::optional<Instant> deadline() const override;
  void overdue() override;

  void produce(const Submission& submission);
  void produce_waiting();
  bool has_to_wait(const Message& message, KafkaTopic& topic, std::size_t group);
  void produce(const Submission& submission, KafkaTopic& topic, std::size_t group);
  KafkaTopic& topic_of(std::string_view name);
  std::size_t free_slot();
  void refuse(const Submission& submission, Verdict verdict, std::string reason);
  [[nodiscard]] bool is_behind_refused(const Message& message) const;

  void take_events();
  void take_report(const rd_kafka_message_t& report);
  void doubt(const rd_kafka_message_t& report, const InFlight& message);
  void take_failure(const rd_kafka_message_t& report, const InFlight& message);
  void take_error(rd_kafka_event_t& event);
  void take_fatal_error();

  void close(Session::State state, std::string_view what, int purge);
  void drop_client();

  const KafkaSettings settings_;
  RecordEncoder encoder_;
  Wakeup events_;
  std::unique_ptr<KafkaClient> client_;
  std::unordered_map<std::string_view, std::unique_ptr<KafkaTopic>>
      topics_;  ///< the key looks into the topic
  std::vector<InFlight> slots_;
  std::vector<std::size_t> free_slots_;
  std::size_t in_flight_ = 0;
  KeyGroups groups_;
  std::deque<Submission> waiting_;  ///< behind messages of their key; not with librdkafka yet
  bool may_release_ = false;        ///< what some of them wait for has been answered
  std::string last_error_;          ///< what librdkafka said of a connection last
  std::optional<Instant>
      unreachable_until_;                  ///< while connecting: no broker was reached at its first address
  std::vector<std::string> refused_keys_;  ///< of failures that poll() has not told of
};

/// As server_adapter() has it.
std::vector<Finding> check_kafka(const KafkaSettings& settings, const BrokerTarget& target,
                                 std::span<const std::string> topics, Duration limit);

}  // namespace outbox
