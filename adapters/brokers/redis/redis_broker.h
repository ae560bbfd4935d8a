// Broker that appends messages to Redis streams, pipelined over one connection. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/redis/redis_replies.h"
#include "adapters/brokers/redis/redis_settings.h"
#include "adapters/brokers/redis/xadd_encoder.h"
#include "adapters/common/server_broker.h"
#include "adapters/common/server_stream.h"

namespace outbox {

class RedisBroker final : public ServerBroker {
 public:
  RedisBroker(RedisSettings settings, const BrokerTarget& target);

 private:
  /// A message whose command is in the stream's output or beyond, until its reply; or a WAIT.
  struct InFlight {
    Ticket ticket;
    const Message* message;  ///< null: a WAIT
    std::uint64_t begin;     ///< its first byte, in the stream's count
  };

  void begin() override;
  void take(std::span<const Submission> messages) override;
  void advance() override;
  void step(Duration wait) override;
  [[nodiscard]] bool awaits_answers() const override { return !in_flight_.empty(); }
  void end(const std::string& reason) override;
  [[nodiscard]] std::string endpoint() const override { return stream_.endpoint(); }

  void greet();
  void flush();
  bool receive();
  void take_greeting(const RedisReply& reply);
  void take_answer(const RedisReply& reply);
  void take_error(const RedisReply& reply);
  void take_wait(const RedisReply& reply);
  void append_wait();
  void deliver_first(Verdict verdict, std::string reason);
  void confused(std::string_view what);

  const RedisSettings settings_;
  XaddEncoder encoder_;
  ServerStream stream_;
  RedisReplies replies_;
  bool is_greeting_ = false;           ///< connected, and the commands below are on their way
  std::deque<std::string> greetings_;  ///< the commands of the greeting that wait for their reply
  std::deque<InFlight> in_flight_;
  std::vector<InFlight>
      written_;              ///< in the master, and not known to be in its replicas; the next WAIT tells
  bool is_waiting_ = false;  ///< a WAIT is in flight; what is sent behind it is for the next one
};

/// As server_adapter() has it.
std::vector<Finding> check_redis(const RedisSettings& settings, const BrokerTarget& target,
                                 std::span<const std::string> topics, Duration limit);

}  // namespace outbox
