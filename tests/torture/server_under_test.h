// What the brokers under test have in common: a class of tests/support that runs the server, a consumer of
// its protocol. Stays in its thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tests/torture/broker_under_test.h"

namespace outbox::test {

/// Server: its constructor starts it; port(), start(), kill(). Reader: a consumer, made from the server's
/// port and the one that relays find, 0 when that is the same.
template <class Server, class Reader>
class ServerUnderTest : public BrokerUnderTest {
 public:
  /// section: the name of the adapter's settings.
  template <class... Options>
  explicit ServerUnderTest(std::string section, Cuts cuts, Options&&... options)
      : server_(std::forward<Options>(options)...), section_(std::move(section)), cuts_(cuts) {}

  void kill() override { server_.kill(); }
  void start() override { server_.start(); }
  [[nodiscard]] int proxied_port() const override { return server_.port(); }
  [[nodiscard]] std::unique_ptr<Consumer> consumer(int relay_port) override {
    return std::make_unique<Reader>(server_.port(), relay_port);
  }
  [[nodiscard]] std::string short_limits() const override {
    return "[route." + section_ + "]\ntimeout = '1s'\nconnect_timeout = '1s'";
  }
  [[nodiscard]] Cuts cuts() const override { return cuts_; }

 protected:
  Server server_;

 private:
  const std::string section_;
  const Cuts cuts_;
};

}  // namespace outbox::test
