// Broker that publishes to Kafka topics with librdkafka's idempotent producer. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/brokers/kafka/kafka_client.h"
#include "adapters/brokers/kafka/kafka_record.h"
#include "adapters/brokers/kafka/kafka_settings.h"
#include "adapters/brokers/kafka/kafka_topic.h"
#include "adapters/brokers/kafka/key_lanes.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class KafkaBroker final : public Broker {
 public:
  KafkaBroker(KafkaSettings settings, const BrokerTarget& target);
  ~KafkaBroker() override;

  [[nodiscard]] Traits traits() const override;
  void connect() override;
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  /// closing: nothing more is taken; answers on their way are waited for, then the session ends.
  enum class Phase { closed, connecting, up, closing };

  /// A message that librdkafka has, until its report.
  struct InFlight {
    Ticket ticket = 0;
    KafkaTopic* topic = nullptr;  ///< null: the slot is free
    std::size_t bytes = 0;        ///< no more than the record takes
    std::size_t lane = no_lane;
  };
  static constexpr std::size_t no_lane = SIZE_MAX;

  void hand_over(const Submission& submission);
  void hand_over_waiting();
  bool has_to_wait(const Message& message, KafkaTopic& topic, std::size_t lane);
  void produce(const Submission& submission, KafkaTopic& topic, std::size_t lane);
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

  [[nodiscard]] std::optional<Instant> deadline() const;
  void check_deadline();
  bool wait(Duration time);
  void end_session(Session::State state, std::string_view what, int purge);
  void finish();
  bool tell(Answers& answers);

  const KafkaSettings settings_;
  RecordEncoder encoder_;
  Wakeup wakeup_, events_;
  Phase phase_ = Phase::closed;
  std::unique_ptr<KafkaClient> client_;
  std::unordered_map<std::string_view, std::unique_ptr<KafkaTopic>>
      topics_;  ///< the key looks into the topic
  std::vector<InFlight> slots_;
  std::vector<std::size_t> free_slots_;
  std::size_t in_flight_ = 0;
  KeyLanes lanes_;
  std::deque<Submission> waiting_;  ///< behind messages of their key; not with librdkafka yet
  bool may_release_ = false;        ///< what some of them wait for has been answered
  Instant progress_{};              ///< connecting or closing began, or the last report came
  std::string last_error_;          ///< what librdkafka said of a connection last
  std::optional<Instant>
      unreachable_until_;  ///< while connecting: no broker was reached at its first address
  Session ending_;
  std::vector<std::string> refused_keys_;  ///< of failures that poll() has not told of
  Answers pending_;                        ///< for the next poll()
};

}  // namespace outbox
