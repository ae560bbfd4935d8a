// Looks at a RabbitMQ server through python3-pika, as any consumer would, and gives it orders. Blocking;
// stays in its test.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// What only AMQP has.
struct AmqpReceived {
  Received received;
  int delivery_mode = 0;
  std::string exchange, message_id, type, key_header;
  long long timestamp = 0;
};

class AmqpReader {
 public:
  /// `url` as pika understands it, which is as the adapter does.
  explicit AmqpReader(std::string url) : url_(std::move(url)) {}

  /// Takes all messages of the queue away; they come in its order.
  [[nodiscard]] std::vector<AmqpReceived> take(const std::string& queue) const;
  /// See amqp_reader.py; throws when it fails. What it printed.
  std::string command(std::vector<std::string> words) const;

 private:
  std::string url_;
};

}  // namespace outbox::test
