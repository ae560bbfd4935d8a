// Brokers that stand before the real one: to see what is accepted when, and to turn messages away. They
// belong to the lane's thread, as the broker does.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "core/broker.h"

namespace outbox::bench {

class ForwardingBroker : public Broker {
 public:
  explicit ForwardingBroker(std::unique_ptr<Broker> broker) : broker_(std::move(broker)) {}

  [[nodiscard]] Traits traits() const override { return broker_->traits(); }
  void connect() override { broker_->connect(); }
  void submit(std::span<const Submission> messages) override { broker_->submit(messages); }
  void poll(Duration timeout, Answers& answers) override { broker_->poll(timeout, answers); }
  void wake() noexcept override { broker_->wake(); }

 private:
  std::unique_ptr<Broker> broker_;
};

/// When the broker accepted the first message and the latest one. Read by the main thread after the lane's
/// end.
struct AcceptedTimes {
  Instant first = Instant::max(), last{};
};

class AcceptanceTimer final : public ForwardingBroker {
 public:
  /// `times` outlives the broker.
  AcceptanceTimer(std::unique_ptr<Broker> broker, AcceptedTimes& times)
      : ForwardingBroker(std::move(broker)), times_(times) {}

  void poll(Duration timeout, Answers& answers) override {
    ForwardingBroker::poll(timeout, answers);
    if (std::ranges::none_of(answers.deliveries,
                             [](const Delivery& delivery) { return delivery.verdict == Verdict::accepted; }))
      return;
    times_.last = std::chrono::steady_clock::now();
    times_.first = std::min(times_.first, times_.last);
  }

 private:
  AcceptedTimes& times_;
};

/// Answers `retry` for what it turns away, at the next poll().
class RefusingBroker final : public ForwardingBroker {
 public:
  RefusingBroker(std::unique_ptr<Broker> broker, Refusals refusals)
      : ForwardingBroker(std::move(broker)), refusals_(std::move(refusals)) {}

  void submit(std::span<const Submission> messages) override {
    taken_.clear();
    for (const Submission& submission : messages)
      if (refuses(*submission.message))
        refused_.push_back({submission.ticket, Verdict::retry, "turned away for the measurement"});
      else
        taken_.push_back(submission);
    if (!taken_.empty()) ForwardingBroker::submit(taken_);
  }

  void poll(Duration timeout, Answers& answers) override {
    ForwardingBroker::poll(refused_.empty() ? timeout : Duration::zero(), answers);
    std::ranges::move(refused_, std::back_inserter(answers.deliveries));
    refused_.clear();
  }

 private:
  bool refuses(const Message& message) {
    if (!refusals_.key.empty() && message.key == refusals_.key) return true;
    return refusals_.every > 0 && scattered(message.seq) % static_cast<std::uint64_t>(refusals_.every) == 0 &&
           ++attempts_[message.seq] <= refusals_.times;
  }

  /// So that it is not always the same keys.
  static std::uint64_t scattered(std::int64_t seq) {
    return (static_cast<std::uint64_t>(seq) * 0x9E3779B97F4A7C15U) >> 40;
  }

  const Refusals refusals_;
  std::unordered_map<std::int64_t, int> attempts_;  ///< of those that are turned away at first
  std::vector<Submission> taken_;                   ///< keeps its capacity
  std::vector<Delivery> refused_;
};

}  // namespace outbox::bench
