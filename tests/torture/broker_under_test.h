// A broker that scenarios crash and cut off: its server, and what a relay and a consumer must know of it. The
// server lives in the thread that made it.
#pragma once

#include <memory>
#include <string>

#include "tests/torture/consumer.h"

namespace outbox::test {

class BrokerUnderTest {
 public:
  virtual ~BrokerUnderTest() = default;

  /// Where the server listens for relays.
  [[nodiscard]] virtual int port() const = 0;
  /// Relays come through this port, behind which something stands between. Before the first start().
  virtual void reached_through(int port) = 0;
  /// For the first time, or on the same port with what it had stored. It takes messages when this returns.
  virtual void start() = 0;
  /// kill -9, and waits for the end.
  virtual void kill() = 0;

  /// Of the topic "orders", which must be empty; its url() is what relays are told. The server runs.
  [[nodiscard]] virtual std::unique_ptr<Consumer> consumer() = 0;
  /// Lines of a route for a bad wire: time limits of about a second.
  [[nodiscard]] virtual std::string short_limits() const = 0;

  /// Where in the answers the wire is cut: after `step` bytes, twice that, and so on up to `bytes_max`, both
  /// of a session that has begun and of a new one.
  struct Cuts {
    int bytes_max = 250;
    int step = 1;
  };
  [[nodiscard]] virtual Cuts cuts() const { return {}; }
};

/// A new one, not yet started.
using MakeBroker = std::unique_ptr<BrokerUnderTest> (*)();

std::unique_ptr<BrokerUnderTest> redis_under_test();

}  // namespace outbox::test
