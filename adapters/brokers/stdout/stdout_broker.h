// Broker that writes one CloudEvent per line to standard output. Belongs to one publishing thread, wake() to
// any.
#pragma once

#include <optional>
#include <string>

#include "adapters/common/event_line.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class StdoutBroker final : public Broker {
 public:
  /// `descriptor` stays open and belongs to the caller.
  StdoutBroker(int descriptor, const BrokerTarget& target);

  [[nodiscard]] Traits traits() const override { return {.ordered_pipeline = true}; }
  void connect() override;
  void submit(std::span<const Submission> messages) override;
  /// A reader that does not read makes this wait, up to `timeout`; wake() still ends it.
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  bool wait_writable(Duration timeout);
  void write_some();
  void fail(const std::string& what);

  const int descriptor_;
  const bool is_file_;
  LineQueue lines_;
  std::optional<Session> session_;
  bool is_up_ = false;
  bool is_torn_ = false;  ///< the last line written is not complete: the next must not be glued to it
  Wakeup wakeup_;
};

}  // namespace outbox
