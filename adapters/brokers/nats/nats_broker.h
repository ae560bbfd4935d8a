// Broker that publishes to NATS JetStream, asynchronously over one connection. Belongs to one publishing
// thread, wake() to any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/brokers/nats/nats_connector.h"
#include "adapters/brokers/nats/nats_mailbox.h"
#include "adapters/brokers/nats/nats_message.h"
#include "adapters/brokers/nats/nats_settings.h"
#include "adapters/common/server_broker.h"

namespace outbox {

class NatsBroker final : public ServerBroker {
 public:
  NatsBroker(NatsSettings settings, const BrokerTarget& target);

  [[nodiscard]] Traits traits() const override;

 private:
  /// A message until its delivery, and then until all before it have theirs.
  struct InFlight {
    Ticket ticket;
    const Message* message;
    std::uint64_t begin = 0;  ///< its first byte, in the connection's count
    bool is_done = false;
  };

  void begin() override;
  /// Only takes the messages over: the poll() that follows sends at once.
  void take(std::span<const Submission> messages) override;
  void step(Duration wait) override;
  [[nodiscard]] bool awaits_answers() const override { return !in_flight_.empty(); }
  void end(const std::string& reason) override;
  [[nodiscard]] std::string endpoint() const override;

  void lose_connection();
  void finish_connecting();
  void greet();
  void send_more();
  bool hand_to_library(std::size_t index);
  void take_mail();
  void take_answer(std::uint64_t number, const NatsAnswer& what);
  void take_error(const std::string& error);
  void answer(InFlight& message, Verdict verdict, const std::string& reason, Scope scope = Scope::topic,
              bool duplicate = false);
  void drop_done();
  void take_greeting();

  const NatsSettings settings_;
  NatsMessageMaker maker_;
  NatsConnector connector_;
  std::shared_ptr<NatsMailbox> mailbox_;  ///< of the session
  std::unique_ptr<NatsConnection> connection_;
  NatsMail mail_;
  std::deque<InFlight> in_flight_;
  std::uint64_t first_number_ = 1;  ///< of in_flight_.front(); its reply subject ends in it
  std::size_t handed_ = 0;          ///< so many of in_flight_ are in the library's buffer or beyond
  std::string reply_;
  std::string last_error_;  ///< the server's, which says more than that it closed the connection
};

/// As server_adapter() has it.
std::vector<Finding> check_nats(const NatsSettings& settings, const BrokerTarget& target,
                                std::span<const std::string> topics, Duration limit);

}  // namespace outbox
