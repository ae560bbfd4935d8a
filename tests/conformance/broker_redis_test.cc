// What Redis says, and what the adapter makes of it. broker_redis_faults_test.cc has what can happen to the
// connection.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/conformance/redis_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("redis:") {
  RedisFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("redis: a key of another type is misconfigured, and hits nobody else") {
  RedisFixture fixture;
  fixture.reader().command({"SET", "string", "x"});
  const auto broker = fixture.open();
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"a", "string", "a", "b"}));
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
  CHECK(delivery_of(deliveries, 2).reason ==
        "redis: XADD to 'string': WRONGTYPE Operation against a key holding the wrong kind of value");
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(count(driver.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("redis: without memory nothing is blamed, and the session stays") {
  RedisFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  fixture.reader().command({"CONFIG", "SET", "maxmemory", "1"});
  const auto deliveries = driver.publish(rows_to({"a", "b"}));
  CHECK(count(deliveries, Verdict::unavailable) == 2);
  fixture.reader().command({"CONFIG", "SET", "maxmemory", "0"});
  const Rows rows = rows_to({"a"});
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::accepted) == 1);
}

TEST_CASE("redis: maxlen trims a stream, roughly") {
  RedisFixture fixture;
  const auto broker = fixture.open_at(fixture.port(), {{"maxlen", std::int64_t{100}}});
  CHECK(count(Driver(*broker).publish(rows_to(std::vector<std::string>(2000, "a"))), Verdict::accepted) ==
        2000);
  const int length = std::stoi(fixture.reader().command({"XLEN", "a"}));
  CHECK(length >= 100);
  CHECK(length < 400);
}

TEST_CASE("redis: a replica takes nothing, blames nobody, and the session ends to look for another server") {
  RedisFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  fixture.reader().command({"REPLICAOF", "127.0.0.1", "1"});
  const Rows rows = rows_to({"a", "b", "c"});
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 3);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.find("READONLY") != std::string::npos);
  fixture.reader().command({"REPLICAOF", "NO", "ONE"});
  CHECK(count(driver.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("redis: the URL's path chooses the database, and the connection has a name") {
  RedisFixture fixture;
  const std::string url = fixture.url(fixture.port());
  const auto broker = open_broker(redis_adapter(), url + "/3");
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
  CHECK(fixture.received().empty());
  CHECK(fixture.reader().command({"CLIENT", "LIST"}).find("name=outboxd") != std::string::npos);
  RedisReader reader = fixture.reader();
  reader.command({"SELECT", "3"});
  CHECK(reader.streams().size() == 1);

  const Session session = Driver(*open_broker(redis_adapter(), url + "/99")).connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK(session.reason.ends_with("SELECT was refused: ERR DB index is out of range"));
}

TEST_CASE(
    "redis: a message beyond the server's limit uses its own attempt and leaves no other without a "
    "delivery") {
  RedisFixture fixture;
  fixture.reader().command({"CONFIG", "SET", "proto-max-bulk-len", "1mb"});
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  rows.add({.payload = std::string((1 << 20) + 1, 'x')});
  rows.add();
  const auto deliveries = driver.publish(rows);
  fixture.reader().command({"CONFIG", "SET", "proto-max-bulk-len", "512mb"});
  REQUIRE(deliveries.size() == 3);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::retry);
  CHECK(delivery_of(deliveries, 2).reason.ends_with("ERR Protocol error: invalid bulk length"));
  CHECK(delivery_of(deliveries, 3).verdict != Verdict::accepted);
  CHECK(driver.session().state == Session::State::down);
  rows = Rows();
  rows.add();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 1);
}

TEST_CASE("redis: a user with a right to some streams, and then to none") {
  RedisFixture fixture;
  fixture.reader().command({"ACL", "SETUSER", "shop", "on", ">p%3A@ss", "~allowed*", "+xadd", "+auth"});
  const auto broker = open_broker(redis_adapter(), fixture.url_of("shop:p%253A%40ss", fixture.port()));
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"allowed", "forbidden", "allowed.too"}));
  CHECK(count(deliveries, Verdict::accepted) == 2);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
  fixture.reader().command({"ACL", "SETUSER", "shop", "-xadd"});
  CHECK(count(driver.publish(rows_to({"allowed", "allowed"})), Verdict::misconfigured) == 2);
}

TEST_CASE("redis: a URL whose path is no database is refused") {
  refusal(redis_adapter(), "redis://localhost/orders");
  refusal(redis_adapter(), "redis://localhost/-1");
}

}  // namespace
}  // namespace outbox::test
