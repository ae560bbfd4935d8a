// What can happen to a connection to Redis, played by killing the server and by a proxy that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/conformance/redis_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("redis:") {
  RedisFixture fixture;
  broker_server_suite(fixture);
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
  const Rows rows = rows_of(3);
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
