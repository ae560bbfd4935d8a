// Reads a topic over its own connection, in the protocol of https://kafka.apache.org/protocol. Stays in its
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/socket.h"
#include "tests/torture/consumer.h"

namespace outbox::test {

/// The topic "orders" of one server, with three partitions, of which a key has one.
/// What has arrived is what the partitions hold: after a restart they are read from the beginning.
class KafkaConsumer : public Consumer {
 public:
  static constexpr int partitions = 3;

  KafkaConsumer(int port, int as_seen_by_relay);
  void catch_up() override;
  void settle() override;
  [[nodiscard]] std::string url() const override;

 private:
  void open();
  /// The body of the answer.
  std::string request(int api, int version, const std::string& body);
  /// False: there was nothing new.
  bool fetch();
  bool keep_batches(std::string_view batches, int partition);

  int port_, relay_port_;
  std::unique_ptr<Socket> socket_;
  std::array<std::int64_t, partitions> next_{};  ///< offset
};

}  // namespace outbox::test
