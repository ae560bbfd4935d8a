// wait_replicas: a message counts as accepted once a real replica has it.
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

using std::chrono::milliseconds;

/// A master with one replica that has all the master has.
class Pair {
 public:
  Pair() {
    RedisReader reader(master.port());
    REQUIRE(eventually([&] { return reader.command({"ROLE"}).find("127.0.0.1") != std::string::npos; }));
    reader.command({"SET", "first", "one"});
    REQUIRE(eventually([&] { return reader.command({"WAIT", "1", "100"}) == "1"; }));
  }
  [[nodiscard]] std::unique_ptr<Broker> open(int port, std::int64_t replicas = 1) const {
    return open_broker(redis_adapter(), "redis://127.0.0.1:" + std::to_string(port),
                       {{"wait_replicas", replicas}, {"wait_timeout", Duration(milliseconds(200))}});
  }

  RedisServer master{{.arguments = {"--repl-diskless-sync-delay", "0"}}};
  RedisServer replica{{.arguments = {"--replicaof", "127.0.0.1", std::to_string(master.port())}}};
};

Rows numbered_rows(int count) {
  Rows rows;
  for (int i = 0; i < count; ++i) rows.add({.topic = "a", .payload = std::to_string(i)});
  return rows;
}

TEST_CASE("redis: with wait_replicas an accepted message is in the replica") {
  const Pair pair;
  const auto broker = pair.open(pair.master.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  const Rows rows = numbered_rows(3000);
  const auto all = rows.submissions();
  for (std::size_t i = 0; i < all.size(); i += 500) driver.submit(std::span(all).subspan(i, 500));
  CHECK(count(driver.deliveries(), Verdict::accepted) == 3000);
  const auto received = RedisReader(pair.replica.port()).stream("a");
  REQUIRE(received.size() == 3000);
  for (std::size_t i = 0; i < received.size(); ++i) REQUIRE(received[i].payload == std::to_string(i));
}

TEST_CASE("redis: with wait_replicas nothing is accepted while the replica is silent, and nobody is blamed") {
  Pair pair;
  const auto broker = pair.open(pair.master.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  pair.replica.freeze();
  const Rows rows = numbered_rows(10);
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::unavailable) == 10);
  CHECK_MESSAGE(deliveries[0].reason ==
                    "redis: XADD to 'a': the master has it, but only 0 of 1 replicas had it within 200 ms",
                deliveries[0].reason);
  pair.replica.thaw();
  CHECK(eventually([&] {
    driver.submit(rows.submissions());
    return count(driver.deliveries(), Verdict::accepted) == 10;
  }));
  CHECK(RedisReader(pair.replica.port()).stream("a").size() >= 20);  // twice, with the same ids
}

TEST_CASE("redis: what is submitted while a WAIT runs waits for the next one") {
  Pair pair;
  const auto broker = pair.open(pair.master.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  pair.replica.freeze();
  const Rows rows = numbered_rows(3);
  const auto all = rows.submissions();
  for (const Submission& submission : all) driver.submit({&submission, 1});
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 3);
  pair.replica.thaw();
  CHECK(eventually([&] { return count(driver.publish(rows), Verdict::accepted) == 3; }));
}

TEST_CASE("redis: what the master has and no replica has confirmed is in doubt when the session ends") {
  Pair pair;
  FaultProxy proxy(pair.master.port());
  const auto broker = pair.open(proxy.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  pair.replica.freeze();
  const Rows rows = numbered_rows(5);
  driver.submit(rows.submissions());
  RedisReader reader(pair.master.port());
  REQUIRE(eventually([&] { return reader.stream("a").size() == 5; }));
  proxy.cut();
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 5);
  pair.replica.thaw();
}

TEST_CASE("redis: without the right to WAIT the route is misconfigured") {
  const Pair pair;
  RedisReader(pair.master.port()).command({"ACL", "SETUSER", "shop", "on", ">pass", "~*", "+xadd", "+auth"});
  const auto broker =
      open_broker(redis_adapter(), "redis://shop:pass@127.0.0.1:" + std::to_string(pair.master.port()),
                  {{"wait_replicas", std::int64_t{1}}});
  const auto deliveries = Driver(*broker).publish(numbered_rows(2));
  CHECK(count(deliveries, Verdict::misconfigured) == 2);
  CHECK_MESSAGE(deliveries[0].reason.find("WAIT was refused: NOPERM") != std::string::npos,
                deliveries[0].reason);
}

TEST_CASE("redis: a wait_timeout that is no shorter than timeout is refused") {
  BrokerTarget target{"redis://localhost", "", Attributes::full, default_settings(redis_adapter().settings)};
  target.settings.at("wait_replicas") = std::int64_t{1};
  target.settings.at("wait_timeout") = Duration(std::chrono::seconds(10));
  const auto opened = redis_adapter().open(target);
  REQUIRE(!opened);
  CHECK(opened.error().text == "redis: wait_timeout must be 1ms or more, and less than timeout");
}

}  // namespace
}  // namespace outbox::test
