// What can happen to a connection to Redis, played by killing the server and by a proxy that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

class RedisFixture : public ServerFixture {
 public:
  [[nodiscard]] BrokerAdapter adapter() const override { return redis_adapter(); }
  [[nodiscard]] int port() const override { return server_.port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "redis://:right-secret@127.0.0.1:" + std::to_string(port);
  }
  void kill() override { server_.kill(); }
  void start() override { server_.start(); }
  void freeze() override { server_.freeze(); }
  void thaw() override { server_.thaw(); }
  std::vector<Received> received() override { return RedisReader(port(), "right-secret").streams(); }

  std::optional<TurnedAway> forbidden_topic() override {
    RedisReader(port(), "right-secret").command({"ACL", "SETUSER", "default", "resetkeys", "~order.*"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "NOPERM"};
  }
  std::optional<TurnedAway> unknown_topic() override {
    creates_streams_ = false;
    RedisReader(port(), "right-secret")
        .command({"XGROUP", "CREATE", "order.placed", "group", "$", "MKSTREAM"});
    return TurnedAway{{.topic = "unknown"}, Verdict::misconfigured, "create it"};
  }
  [[nodiscard]] Settings settings() const override { return {{"create_streams", creates_streams_}}; }
  std::string url_with_wrong_password() override {
    return "redis://:wrong-secret@127.0.0.1:" + std::to_string(port());
  }

 private:
  RedisServer server_{{.append_fsync = "always", .password = "right-secret"}};
  bool creates_streams_ = true;
};

std::string url_of(int port) {
  return "redis://127.0.0.1:" + std::to_string(port);
}

Rows rows_to_a(int count, std::size_t payload_size = 100) {
  return rows_of(count, payload_size, "a");
}

TEST_CASE("redis:") {
  RedisFixture fixture;
  broker_server_suite(fixture);
}

TEST_CASE("redis: a connection cut in the middle of the answers accepts exactly the answered") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  for (std::size_t bytes : {0, 1, 21, 500, 1000}) {
    REQUIRE(driver.connect().state == Session::State::up);
    proxy.cut_after_answers(bytes);
    const Rows rows = rows_to_a(200);
    driver.submit(rows.submissions());
    const auto deliveries = driver.deliveries();
    const std::size_t accepted = count(deliveries, Verdict::accepted);
    CHECK(accepted <= bytes / 21);  // "$15\r\n<13 digits>-0\r\n" is 22 bytes
    CHECK(accepted + 1 >= bytes / 25);
    CHECK(count(deliveries, Verdict::in_doubt) == 200 - accepted);
    for (std::size_t i = 0; i < accepted; ++i) CHECK(deliveries[i].ticket == i + 1);
    CHECK(driver.session().state == Session::State::down);
  }
}

TEST_CASE(
    "redis: a server that is still reading its disk takes nothing and blames nobody, until it is done") {
  RedisServer server;
  {
    RedisReader reader(server.port());
    for (int i = 0; i < 3000; ++i) reader.command({"SET", "key" + std::to_string(i), std::string(100, 'x')});
    reader.command({"CONFIG", "SET", "appendfsync", "always"});
    reader.command({"SET", "last", "one"});  // on the disk, and all before it
  }
  server.kill();
  server.start_slowly(std::chrono::microseconds(500));
  const auto broker = open_broker(redis_adapter(), server.url(), impatient());
  Driver driver(*broker);
  const Rows rows = rows_to_a(3);
  REQUIRE(driver.connect().state == Session::State::up);
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::unavailable) == 3);
  CHECK_MESSAGE(deliveries[0].reason.find("LOADING") != std::string::npos, deliveries[0].reason);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.find("LOADING") != std::string::npos);
  CHECK(eventually([&] {
    if (driver.connect().state != Session::State::up) return false;
    driver.submit(rows.submissions());
    return count(driver.deliveries(), Verdict::accepted) == 3;
  }));
}

}  // namespace
}  // namespace outbox::test
