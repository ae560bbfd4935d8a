// A broker that stands before the real one and sees what is accepted when. Belongs to the lane's thread, as
// the broker does.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "core/broker.h"

namespace outbox::cli {

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

/// Notes when the first message was accepted.
class FirstAccepted final : public ForwardingBroker {
 public:
  /// `at` outlives the broker.
  FirstAccepted(std::unique_ptr<Broker> broker, std::atomic<Instant>& at)
      : ForwardingBroker(std::move(broker)), at_(at) {}

  void poll(Duration timeout, Answers& answers) override {
    ForwardingBroker::poll(timeout, answers);
    if (seen_ || answers.deliveries.empty()) return;
    seen_ = std::ranges::any_of(
        answers.deliveries, [](const Delivery& delivery) { return delivery.verdict == Verdict::accepted; });
    if (seen_) at_ = std::chrono::steady_clock::now();
  }

 private:
  std::atomic<Instant>& at_;
  bool seen_ = false;
};

}  // namespace outbox::cli
