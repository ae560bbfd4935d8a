// Reads a JetStream stream over its own connection, in the protocol of
// https://docs.nats.io/reference/reference-protocols/nats-protocol. Stays in its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/torture/consumer.h"
#include "tests/torture/socket.h"

namespace outbox::test {

/// The subject "orders", in a stream of that name which the first one makes, kept in files. What has arrived
/// is what the stream holds: after a restart of the server it is read from the beginning.
class NatsConsumer : public Consumer {
 public:
  NatsConsumer(int port, int as_seen_by_relay);
  void catch_up() override;
  void settle() override;
  [[nodiscard]] std::string url() const override;

 private:
  struct Delivered {
    std::string subscription, reply, headers, payload;
  };

  void open();
  /// The answer of the server to a request; throws when it is none or an error.
  std::string request(const std::string& subject, const std::string& text);
  /// The next whole message of those received; nullopt: there is none yet.
  std::optional<Delivered> take();
  void keep(const Delivered& message);

  int port_, relay_port_;
  std::unique_ptr<Socket> socket_;
  std::uint64_t last_ = 0;  ///< sequence in the stream
};

}  // namespace outbox::test
