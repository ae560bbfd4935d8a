#include "adapters/brokers/null/null_broker.h"

#include <memory>
#include <utility>

#include "adapters/brokers/brokers.h"

namespace outbox {

void NullBroker::submit(std::span<const Submission> messages) {
  for (const Submission& submission : messages) taken_.push_back(submission.ticket);
}

void NullBroker::poll(Duration timeout, Answers& answers) {
  if (taken_.empty() && !session_) {
    wakeup_.wait(timeout);
    return;
  }
  answers.deliveries.reserve(answers.deliveries.size() + taken_.size());
  for (Ticket ticket : taken_) answers.deliveries.push_back({ticket, Verdict::accepted, {}});
  taken_.clear();
  if (session_) answers.session = std::exchange(session_, std::nullopt);
}

BrokerAdapter null_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    if (target.url != "null:")
      return Error{Fault::misconfigured, "null: the URL is just null: and takes nothing after it"};
    return std::unique_ptr<Broker>(std::make_unique<NullBroker>());
  };
  return {.name = "null", .schemes = {"null"}, .settings = {}, .open = open};
}

}  // namespace outbox
