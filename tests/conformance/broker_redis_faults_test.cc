// What can happen to a connection to Redis, played by killing the server and by a proxy that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// As short as a server that is there and busy can be trusted to keep.
const Settings impatient = {{"timeout", Duration(milliseconds(1500))},
                            {"connect_timeout", Duration(milliseconds(1500))}};

std::string url_of(int port) {
  return "redis://127.0.0.1:" + std::to_string(port);
}

Rows rows_of(int count, std::size_t payload_size = 100) {
  Rows rows;
  for (int i = 0; i < count; ++i) rows.add({.topic = "a", .payload = std::string(payload_size, 'x')});
  return rows;
}

std::set<std::string> ids_in(int port) {
  std::set<std::string> ids;
  for (const Received& received : RedisReader(port).stream("a")) ids.insert(received.id());
  return ids;
}

std::size_t missing_though_accepted(const std::vector<Delivery>& deliveries,
                                    const std::set<std::string>& ids) {
  std::size_t missing = 0;
  for (const Delivery& delivery : deliveries)
    if (delivery.verdict == Verdict::accepted &&
        !ids.contains(uuid_of(static_cast<std::int64_t>(delivery.ticket))))
      ++missing;
  return missing;
}

TEST_CASE("redis: without a server the session is down and says where it looked") {
  const int port = free_port();
  const auto broker = open_broker(redis_adapter(), url_of(port));
  Driver driver(*broker);
  const Session session = driver.connect();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason == "redis: 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  CHECK(driver.connect().state == Session::State::down);
  const Session unknown = Driver(*open_broker(redis_adapter(), "redis://no-such-host.invalid")).connect();
  CHECK(unknown.state == Session::State::down);
}

TEST_CASE("redis: of several hosts the first that answers is taken") {
  RedisServer server;
  const std::string hosts =
      "127.0.0.1:" + std::to_string(free_port()) + ",127.0.0.1:" + std::to_string(server.port());
  const auto broker = open_broker(redis_adapter(), "redis://" + hosts);
  CHECK(count(Driver(*broker).publish(rows_of(1)), Verdict::accepted) == 1);
}

TEST_CASE(
    "redis: a server that is killed in flight leaves one delivery per message, and loses none it accepted") {
  RedisServer server({.append_fsync = "always"});
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  const Rows rows = rows_of(20000);
  driver.submit(rows.submissions());
  server.kill();
  const auto deliveries = driver.deliveries();
  CHECK(deliveries.size() == 20000);
  CHECK(count(deliveries, Verdict::accepted) + count(deliveries, Verdict::in_doubt) +
            count(deliveries, Verdict::unavailable) ==
        20000);
  CHECK(count(deliveries, Verdict::accepted) < 20000);
  CHECK(driver.session().state == Session::State::down);
  server.start();
  CHECK(missing_though_accepted(deliveries, ids_in(server.port())) == 0);
  CHECK(count(driver.publish(rows_of(10)), Verdict::accepted) == 10);
}

TEST_CASE("redis: answers that never arrive leave the messages in doubt within the time limit") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()), impatient);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const auto start = steady_clock::now();
  const Rows rows = rows_of(50);
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) == 50);
  CHECK(deliveries[0].reason.find("no answer within 1500 ms (sent, not answered)") != std::string::npos);
  CHECK(steady_clock::now() - start >= milliseconds(1500));
  CHECK(steady_clock::now() - start < patience);
  CHECK(driver.session().state == Session::State::down);
  CHECK(ids_in(server.port()).size() ==
        50);  // they had arrived: why "not accepted" must not mean "not there"
  proxy.heal();
  CHECK(count(driver.publish(rows_of(50)), Verdict::accepted) == 50);
}

TEST_CASE("redis: what never left the process is unavailable, what did is in doubt") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()), impatient);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.half_open(true);
  const Rows rows = rows_of(300, 200000);
  driver.submit(rows.submissions());  // far more than the sockets' buffers take
  const auto deliveries = driver.deliveries();
  const std::size_t in_doubt = count(deliveries, Verdict::in_doubt),
                    unavailable = count(deliveries, Verdict::unavailable);
  CHECK(in_doubt > 0);
  CHECK(unavailable > 0);
  CHECK(in_doubt + unavailable == 300);
  CHECK(deliveries.front().verdict == Verdict::in_doubt);
  CHECK(deliveries.back().verdict == Verdict::unavailable);
}

TEST_CASE("redis: a connection cut in the middle of the answers accepts exactly the answered") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  for (std::size_t bytes : {0, 1, 21, 500, 1000}) {
    REQUIRE(driver.connect().state == Session::State::up);
    proxy.cut_after_answers(bytes);
    const Rows rows = rows_of(200);
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

TEST_CASE("redis: a slow and jittery wire only takes time") {
  RedisServer server;
  FaultProxy proxy(server.port(), 7);
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  proxy.delay(milliseconds(5), milliseconds(10));
  proxy.drip(700);
  CHECK(count(driver.publish(rows_of(100)), Verdict::accepted) == 100);
  CHECK(ids_in(server.port()).size() == 100);
}

TEST_CASE("redis: a connection reset while idle ends the session, and the next one works") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.cut();
  CHECK(driver.session().state == Session::State::down);
  CHECK(count(driver.publish(rows_of(3)), Verdict::accepted) == 3);
}

TEST_CASE("redis: a server that accepts connections and says nothing is down after connect_timeout") {
  RedisServer server;
  server.freeze();
  const auto broker = open_broker(redis_adapter(), url_of(server.port()), impatient);
  Driver driver(*broker);
  const Session session = driver.connect();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.ends_with("no connection within 1500 ms"));
  server.thaw();
  CHECK(driver.connect().state == Session::State::up);
}

TEST_CASE("redis: a new session asked for in flight settles the old one's messages first") {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(redis_adapter(), url_of(proxy.port()));
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(5);
  driver.submit(rows.submissions());
  proxy.heal();
  CHECK(driver.connect().state == Session::State::up);
  CHECK(driver.deliveries().size() == 5);
}

}  // namespace
}  // namespace outbox::test
