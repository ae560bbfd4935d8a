// Broker that publishes to NATS JetStream, asynchronously over one connection. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/nats/nats_connector.h"
#include "adapters/brokers/nats/nats_mailbox.h"
#include "adapters/brokers/nats/nats_message.h"
#include "adapters/brokers/nats/nats_settings.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class NatsBroker final : public Broker {
 public:
  NatsBroker(NatsSettings settings, const BrokerTarget& target);

  [[nodiscard]] Traits traits() const override;
  void connect() override;
  /// Only takes the messages over: the poll() that follows sends at once.
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  enum class Phase { closed, connecting, greeting, up };

  /// A message until its delivery, and then until all before it have theirs.
  struct InFlight {
    Ticket ticket;
    const Message* message;
    std::uint64_t begin = 0;  ///< its first byte, in the connection's count
    bool is_done = false;
  };

  bool step(Duration wait);
  void lose_connection();
  void advance_connecting();
  void greet();
  void send_more();
  bool hand_to_library(std::size_t index);
  void take_mail();
  void take_answer(std::uint64_t number, Verdict verdict, std::string text);
  void take_error(const std::string& error);
  void deliver(InFlight& message, Verdict verdict, std::string reason);
  void drop_done();
  void become_up();
  [[nodiscard]] std::optional<Instant> deadline() const;
  void check_deadline();
  void end_session(Session::State state, const std::string& what);

  const NatsSettings settings_;
  NatsMessageMaker maker_;
  NatsConnector connector_;
  Wakeup wakeup_;
  std::shared_ptr<NatsMailbox> mailbox_;  ///< of the session
  std::unique_ptr<NatsConnection> connection_;
  NatsMail mail_;
  Phase phase_ = Phase::closed;
  Instant progress_{};  ///< connecting began, or the oldest message in flight became that
  std::deque<InFlight> in_flight_;
  std::uint64_t first_number_ = 1;  ///< of in_flight_.front(); its reply subject ends in it
  std::size_t handed_ = 0;          ///< so many of in_flight_ are in the library's buffer or beyond
  std::string reply_;
  std::string last_error_;  ///< the server's, which says more than that it closed the connection
  std::string ending_;  ///< not empty: nothing more is taken, the session ends once all have been answered
  Answers pending_;     ///< for the next poll()
};

}  // namespace outbox
