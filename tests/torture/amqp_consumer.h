// Reads a queue over its own connection, in the protocol of
// https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf. Stays in its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/socket.h"
#include "tests/torture/consumer.h"

namespace outbox::test {

/// The durable queue "orders", which the first one makes. It acknowledges nothing: what has arrived is what
/// the queue holds, and after a restart of the server it is read from the beginning.
class AmqpConsumer : public Consumer {
 public:
  AmqpConsumer(int port, int as_seen_by_relay);
  void catch_up() override;
  void settle() override;
  [[nodiscard]] std::string url() const override;

 private:
  struct Frame {
    int type = 0;
    std::string payload;
  };

  void open();
  void send(int type, int channel, const std::string& payload);
  /// The next whole frame of those received; nullopt: there is none yet.
  std::optional<Frame> take();
  /// Waits for this method, which the server sends as its answer. Throws when another comes.
  void await(int class_id, int method_id);
  void absorb(const Frame& frame);
  void keep();

  int port_, relay_port_;
  std::unique_ptr<Socket> socket_;
  Received coming_;  ///< its body is not complete
  std::uint64_t body_left_ = 0;
  int markers_ = 0;  ///< that settle() has sent
  std::string marker_seen_;
};

}  // namespace outbox::test
