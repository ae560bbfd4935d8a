// A broker that scenarios crash and cut off: its server, and what a relay and a consumer must know of it. The
// server lives in the thread that made it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/torture/consumer.h"

namespace outbox::test {

class BrokerUnderTest {
 public:
  virtual ~BrokerUnderTest() = default;

  /// kill -9, and waits for the end.
  virtual void kill() = 0;
  /// After kill(), on the same ports, with what it had stored. It takes messages when this returns.
  virtual void start() = 0;

  /// Where a proxy between relays and the server forwards to, and the port where it must be; 0: anywhere.
  [[nodiscard]] virtual int proxied_port() const = 0;
  [[nodiscard]] virtual int proxy_port() const { return 0; }

  /// Of the topic "orders", which must be empty; its url() is what relays are told. relay_port: where they
  /// find the proxy; 0: there is none.
  [[nodiscard]] virtual std::unique_ptr<Consumer> consumer(int relay_port = 0) = 0;
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

/// A new one, which runs.
using MakeBroker = std::unique_ptr<BrokerUnderTest> (*)();

/// How many faults of the full and of the short set, how many a round has, and how many rounds run at once.
struct Extent {
  int faults, faults_short, per_round, jobs;
};

/// Two scenarios each: NAME-crash and NAME-wire.
struct TestedBroker {
  std::string name;    ///< of the scenarios
  std::string title;   ///< for people
  std::string store;   ///< where what it has accepted is
  std::string server;  ///< in scripts/servers
  MakeBroker make;     ///< nullptr: built without its library
  Extent crash, wire;

  /// What the machine or the program under test lacks; empty: nothing.
  [[nodiscard]] std::string missing() const;
};

const std::vector<TestedBroker>& tested_brokers();

}  // namespace outbox::test
