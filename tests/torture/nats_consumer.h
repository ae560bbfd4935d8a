// Reads a JetStream stream. Stays in its thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/conformance/nats_reader.h"
#include "tests/torture/consumer.h"

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
  void open();

  int port_, relay_port_;
  std::optional<NatsReader> reader_;
  std::uint64_t last_ = 0;  ///< sequence in the stream
};

}  // namespace outbox::test
