// With appendfsync always: what is accepted is on the disk.
#include <utility>

#include "tests/support/redis_server.h"
#include "tests/torture/broker_under_test.h"

namespace outbox::test {
namespace {

class RedisUnderTest : public BrokerUnderTest {
 public:
  [[nodiscard]] int port() const override { return redis_.port(); }
  void reached_through(int port) override { relay_port_ = port; }
  void start() override {
    if (!std::exchange(is_running_, true)) redis_.start();
  }
  void kill() override {
    redis_.kill();
    is_running_ = false;
  }
  [[nodiscard]] std::unique_ptr<Consumer> consumer() override {
    return std::make_unique<RedisConsumer>(redis_.port(), relay_port_);
  }
  [[nodiscard]] std::string short_limits() const override {
    return "[route.redis]\ntimeout = '1s'\nconnect_timeout = '1s'";
  }

 private:
  RedisServer redis_{{.append_fsync = "always"}};
  bool is_running_ = true;
  int relay_port_ = 0;
};

}  // namespace

std::unique_ptr<BrokerUnderTest> redis_under_test() {
  return std::make_unique<RedisUnderTest>();
}

}  // namespace outbox::test
