// Brokers that are down, die, answer nothing or are full, while services go on writing.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "tests/conformance/event_lines.h"
#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/redis_server.h"
#include "tests/support/tiny_disk.h"

namespace outbox::test {
namespace {

std::size_t arrived_at(const RedisServer& redis) {
  return std::stoul(RedisReader(redis.port()).command({"XLEN", "orders"}));
}

}  // namespace

TEST_CASE("a broker that is down at the start is waited for, and /status says so") {
  PostgresqlShop shop;
  RedisServer redis;
  redis.kill();
  Outboxd relay(config_of(shop.url(), redis.url()));
  relay.start();
  shop.order(20);

  const Json waiting = relay.status_when(
      [](const Json& status) { return is_in_state(status, "backoff") && status.at("state") == "degraded"; });
  CAPTURE(waiting.dump(2));
  CHECK(is_in_state(waiting, "backoff"));
  CHECK(waiting.at("state") == "degraded");
  CHECK(reasons_of(waiting).find(std::to_string(redis.port())) != std::string::npos);
  CHECK_FALSE(route_of(waiting).at("connected").get<bool>());
  CHECK(relay.get("/livez") == 200);
  CHECK(relay.get("/healthz") == 200);
  CHECK(eventually([&] { return relay.get("/readyz") == 200; }, patience));
  CHECK(relay.get("/readyz?broker=1") == 503);
  CHECK(relay.body("/readyz?broker=1&verbose").find("[-]broker main") != std::string::npos);
  CHECK(relay.metric("outbox_connected{route=\"main\"}") == 0);
  CHECK(relay.logs("state=backoff"));

  redis.start();
  CHECK(shop.all_sent(20));
  CHECK(shop.committed().compare(RedisReader(redis.port()).stream("orders")).text() == Comparison{}.text());
  CHECK(is_in_state(relay.status_when([](const Json& status) { return status.at("state") == "running"; }),
                    "running"));
  CHECK(relay.get("/readyz?broker=1") == 200);
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("Redis killed and started again in the middle: nothing lost, every key in order") {
  PostgresqlShop shop;
  RedisServer redis({.append_fsync = "always"});
  Outboxd relay(config_of(shop.url(), redis.url()));
  relay.start();
  {
    const Producers producers(shop, 3, 7);
    for (int i = 0; i < 3; ++i) {
      const std::size_t wanted = arrived_at(redis) + 150;
      REQUIRE_MESSAGE(eventually([&] { return arrived_at(redis) >= wanted; }, patience), relay.log());
      redis.kill();
      const Json down = relay.status_when([](const Json& status) { return is_in_state(status, "backoff"); });
      CHECK(is_in_state(down, "backoff"));
      redis.start();
    }
    const std::size_t wanted = arrived_at(redis) + 50;
    CHECK(eventually([&] { return arrived_at(redis) >= wanted; }, patience));
  }
  const CommittedRows committed = shop.committed();
  CHECK(shop.all_sent(committed.size()));
  const Comparison comparison = committed.compare(RedisReader(redis.port()).stream("orders"));
  MESSAGE(committed.size() << " committed; " << comparison.text());
  CHECK(comparison.is_faultless());
  CHECK(relay.process().running());
}

TEST_CASE("answers that are lost on the way back: repeats with the same ids, nothing lost") {
  SqliteShop shop;
  RedisServer redis;
  FaultProxy proxy(redis.port());
  RelayConfig config = config_of(shop.url(), "redis://127.0.0.1:" + std::to_string(proxy.port()));
  config.routes[0].more = "[route.redis]\ntimeout = '1s'\nconnect_timeout = '1s'";
  Outboxd relay(config);
  relay.start();
  shop.order(30);
  REQUIRE(shop.all_sent(30));

  proxy.swallow_answers(true);
  shop.order(30);
  REQUIRE(eventually([&] { return arrived_at(redis) > 30; }, patience));
  const Json doubtful = relay.status_when(
      [](const Json& status) { return route_of(status).at("failures").at("in_doubt") > 0; });
  CHECK(route_of(doubtful).at("failures").at("in_doubt") > 0);
  CHECK(shop.states("main")["sent"] == 30);  // what was not acknowledged is not marked

  proxy.heal();
  proxy.cut();
  CHECK(shop.all_sent(60));
  const Comparison comparison = shop.committed().compare(RedisReader(redis.port()).stream("orders"));
  MESSAGE(comparison.text());
  CHECK(comparison.is_faultless());
  CHECK(comparison.repeated >= 1);
}

TEST_CASE("a full disk stops the file route without marking anything, until there is room") {
  const TinyDisk disk;
  if (!disk.is_there()) {
    MESSAGE("no right to mount a tmpfs: not tested");
    return;
  }
  SqliteShop shop;
  const std::string path = disk.path() + "/events.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.start();
  shop.order(10);
  REQUIRE(shop.all_sent(10));

  disk.fill();
  shop.order(100);
  const Json full = relay.status_when([](const Json& status) { return is_in_state(status, "backoff"); });
  CAPTURE(full.dump(2));
  CHECK(is_in_state(full, "backoff"));
  CHECK(reasons_of(full).find("No space left") != std::string::npos);
  // The last block of the file may still take a message or two: those are sent, all others are not marked.
  const auto written = [&] { return static_cast<long>(complete_events(path).size()); };
  CHECK(eventually([&] { return shop.states("main")["sent"] == written(); }, patience));
  CHECK(shop.states("main")["pending"] >= 80);
  CHECK(relay.get("/livez") == 200);

  disk.free();
  CHECK(shop.all_sent(110));
  CHECK(shop.committed().compare(complete_events(path)).text() == Comparison{}.text());
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace outbox::test
