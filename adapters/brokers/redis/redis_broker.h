// Broker that appends messages to Redis streams, pipelined over one connection. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/redis/redis_connection.h"
#include "adapters/brokers/redis/redis_settings.h"
#include "adapters/brokers/redis/xadd_encoder.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class RedisBroker final : public Broker {
 public:
  RedisBroker(RedisSettings settings, const BrokerTarget& target);

  void connect() override;
  /// Writes to the socket at once as much as that takes.
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  enum class Phase { closed, connecting, greeting, up };

  /// A message whose command is in the connection's output or beyond, until its reply; or a WAIT.
  struct InFlight {
    Ticket ticket;
    const Message* message;  ///< null: a WAIT
    std::uint64_t begin;     ///< its first byte, in the connection's count
  };

  bool step(Duration wait);
  void advance_connecting();
  void greet();
  void exchange(short ready);
  void lose_connection();
  bool take(const RedisReply& reply);
  void take_greeting(const RedisReply& reply);
  void take_answer(const RedisReply& reply);
  void take_error(const RedisReply& reply);
  void take_wait(const RedisReply& reply);
  void append_wait();
  void deliver(const InFlight& message, Verdict verdict, std::string reason);
  void deliver_first(Verdict verdict, std::string reason);
  void check_deadline();
  [[nodiscard]] std::optional<Instant> deadline() const;
  void confused(std::string_view what);
  void end_session(Session::State state, std::string what);

  const RedisSettings settings_;
  XaddEncoder encoder_;
  RedisConnection connection_;
  Wakeup wakeup_;
  Phase phase_ = Phase::closed;
  Instant progress_{};                 ///< connecting began, or the last answer came
  std::deque<std::string> greetings_;  ///< the commands of the greeting that wait for their reply
  std::deque<InFlight> in_flight_;
  std::vector<InFlight>
      written_;              ///< in the master, and not known to be in its replicas; the next WAIT tells
  bool is_waiting_ = false;  ///< a WAIT is in flight; what is sent behind it is for the next one
  std::string ending_;  ///< not empty: nothing more is taken, the session ends once all have been answered
  std::optional<Session> failure_;  ///< what a reply means for the session, until it has been read to its end
  Answers pending_;                 ///< for the next poll()
};

}  // namespace outbox
