// What Redis says, and what the adapter makes of it. broker_redis_faults_test.cc has what can happen to the
// connection.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

/// One server for all tests of this program, emptied for each.
class RedisFixture : public BrokerFixture {
 public:
  RedisFixture() {
    reader.command({"CONFIG", "SET", "maxmemory", "0"});
    reader.command({"FLUSHALL"});
  }
  std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) override {
    return open_broker(redis_adapter(), server().url(), {}, attributes);
  }
  std::unique_ptr<Broker> open(const Settings& settings) {
    return open_broker(redis_adapter(), server().url(), settings);
  }
  std::vector<Received> received() override { return reader.streams(); }

  static RedisServer& server() {
    static RedisServer one;
    return one;
  }
  RedisReader reader{server().port()};
};

TEST_CASE("redis:") {
  RedisFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("redis: a header with a reserved name is rejected, and only its own message") {
  RedisFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add();
  rows.add({.headers = {{"ce_id", "forged"}}});
  rows.add({.headers = {{"data", "forged"}}});
  rows.add({.headers = {{"content-type", "forged"}}});
  rows.add({.headers = {{"ce", "mine"}, {"Data", "mine"}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  for (int i = 2; i <= 4; ++i) CHECK(delivery_of(deliveries, i).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason == "header 'ce_id' has a reserved name: it begins with 'ce_'");
  CHECK(delivery_of(deliveries, 5).verdict == Verdict::accepted);
  CHECK(fixture.received().size() == 2);
}

TEST_CASE("redis: a key of another type is misconfigured, and hits nobody else") {
  RedisFixture fixture;
  fixture.reader.command({"SET", "string", "x"});
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
  fixture.reader.command({"CONFIG", "SET", "maxmemory", "1"});
  const auto deliveries = driver.publish(rows_to({"a", "b"}));
  CHECK(count(deliveries, Verdict::unavailable) == 2);
  fixture.reader.command({"CONFIG", "SET", "maxmemory", "0"});
  const Rows rows = rows_to({"a"});
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::accepted) == 1);
}

TEST_CASE("redis: with create_streams off a missing stream is misconfigured until it is there") {
  RedisFixture fixture;
  const auto broker = fixture.open({{"create_streams", false}});
  Driver driver(*broker);
  const Rows rows = rows_to({"a"});
  CHECK(driver.publish(rows)[0].verdict == Verdict::misconfigured);
  CHECK(driver.publish(rows)[0].reason ==
        "redis: XADD to 'a': stream does not exist; create it or set create_streams = true");
  fixture.reader.command({"XGROUP", "CREATE", "a", "group", "$", "MKSTREAM"});
  CHECK(driver.publish(rows)[0].verdict == Verdict::accepted);
}

TEST_CASE("redis: maxlen trims a stream, roughly") {
  RedisFixture fixture;
  const auto broker = fixture.open({{"maxlen", std::int64_t{100}}});
  CHECK(count(Driver(*broker).publish(rows_to(std::vector<std::string>(2000, "a"))), Verdict::accepted) ==
        2000);
  const int length = std::stoi(fixture.reader.command({"XLEN", "a"}));
  CHECK(length >= 100);
  CHECK(length < 400);
}

TEST_CASE("redis: a replica takes nothing, blames nobody, and the session ends to look for another server") {
  RedisFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  fixture.reader.command({"REPLICAOF", "127.0.0.1", "1"});
  const Rows rows = rows_to({"a", "b", "c"});
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 3);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.find("READONLY") != std::string::npos);
  fixture.reader.command({"REPLICAOF", "NO", "ONE"});
  CHECK(count(driver.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("redis: the URL's path chooses the database, and the connection has a name") {
  RedisFixture fixture;
  const auto broker = open_broker(redis_adapter(), RedisFixture::server().url() + "/3");
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
  CHECK(fixture.received().empty());
  CHECK(fixture.reader.command({"CLIENT", "LIST"}).find("name=outboxd") != std::string::npos);
  fixture.reader.command({"SELECT", "3"});
  CHECK(fixture.received().size() == 1);

  const Session session =
      Driver(*open_broker(redis_adapter(), RedisFixture::server().url() + "/99")).connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK(session.reason.ends_with("SELECT was refused: ERR DB index is out of range"));
}

TEST_CASE(
    "redis: a message beyond the server's limit uses its own attempt and leaves no other without a "
    "delivery") {
  RedisFixture fixture;
  fixture.reader.command({"CONFIG", "SET", "proto-max-bulk-len", "1mb"});
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  rows.add({.payload = std::string((1 << 20) + 1, 'x')});
  rows.add();
  const auto deliveries = driver.publish(rows);
  fixture.reader.command({"CONFIG", "SET", "proto-max-bulk-len", "512mb"});
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

TEST_CASE("redis: a login that is refused is misconfigured, and no reason shows the password") {
  RedisServer server({.password = "right-secret"});
  const std::string host = "@127.0.0.1:" + std::to_string(server.port());
  const auto session_of = [](const std::string& url) {
    return Driver(*open_broker(redis_adapter(), url)).connect();
  };
  CHECK(session_of("redis://:right-secret" + host).state == Session::State::up);
  const Session wrong = session_of("redis://:wrong-secret" + host);
  CHECK(wrong.state == Session::State::misconfigured);
  CHECK(wrong.reason.find("WRONGPASS") != std::string::npos);
  CHECK(wrong.reason.find("secret") == std::string::npos);
  const Session unknown = session_of("redis://nobody:wrong-secret" + host);
  CHECK(unknown.state == Session::State::misconfigured);
  CHECK(unknown.reason.find("secret") == std::string::npos);
  const Session none = session_of("redis://127.0.0.1:" + std::to_string(server.port()));
  CHECK(none.state == Session::State::misconfigured);
  CHECK(none.reason.find("give user and password in the route's URL") != std::string::npos);
}

TEST_CASE("redis: a right that is missing hits the streams it is missing for") {
  RedisFixture fixture;
  fixture.reader.command({"ACL", "SETUSER", "shop", "on", ">p%3A@ss", "~allowed*", "+xadd", "+auth"});
  const auto broker = open_broker(
      redis_adapter(), "redis://shop:p%253A%40ss@127.0.0.1:" + std::to_string(RedisFixture::server().port()));
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"allowed", "forbidden", "allowed.too"}));
  CHECK(count(deliveries, Verdict::accepted) == 2);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
  CHECK(delivery_of(deliveries, 2).reason.find("NOPERM") != std::string::npos);
  fixture.reader.command({"ACL", "SETUSER", "shop", "-xadd"});
  CHECK(count(driver.publish(rows_to({"allowed", "allowed"})), Verdict::misconfigured) == 2);
  fixture.reader.command({"ACL", "DELUSER", "shop"});
}

TEST_CASE("redis: a URL or settings that can never work are refused with the fix") {
  const auto refused = [](const std::string& url, const Settings& changed = {}) {
    Settings settings = default_settings(redis_adapter().settings);
    for (const auto& [key, value] : changed) settings.at(key) = value;
    const auto opened = redis_adapter().open({url, "", Attributes::full, settings});
    REQUIRE(!opened);
    CHECK(opened.error().fault == Fault::misconfigured);
    return opened.error().text;
  };
  CHECK(refused("redis:") == "redis: the URL names no host; write redis://localhost:6379");
  CHECK(refused("redis://") == "redis: the URL names no host; write redis://localhost:6379");
  refused("redis://localhost:port");
  refused("redis://localhost/orders");
  refused("redis://localhost/-1");
  CHECK(refused("redis://localhost?password=hidden").find("hidden") == std::string::npos);
  refused("redis://localhost", {{"cert_file", std::string("cert.pem")}});
}

}  // namespace
}  // namespace outbox::test
