// A broker that stands before the real one and sees what is accepted when. Belongs to the lane's thread, as
// the broker does.
#pragma once

#include <algorithm>
#include <chrono>
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

}  // namespace outbox::cli
