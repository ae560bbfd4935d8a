// Broker that takes everything and keeps nothing, for benchmarks. Belongs to one publishing thread, wake() to
// any.
#pragma once

#include <optional>
#include <vector>

#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class NullBroker final : public Broker {
 public:
  [[nodiscard]] Traits traits() const override { return {.ordered_pipeline = true}; }
  void connect() override { session_ = Session{Session::State::up, {}}; }
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  std::optional<Session> session_;
  std::vector<Ticket> taken_;
  Wakeup wakeup_;
};

}  // namespace outbox
