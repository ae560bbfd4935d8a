// A broker before the real one that turns some messages away. Belongs to the lane's thread, as the broker
// does.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/bench/forwarding_broker.h"

namespace outbox::cli {

/// Which messages are turned away, and how often.
struct Refusals {
  std::int64_t every = 0;  ///< one message of so many; 0: none
  int times = 0;           ///< that one, before it is let through
  std::string key;         ///< all messages of this key, always; empty: none
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

}  // namespace outbox::cli
