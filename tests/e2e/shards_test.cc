// relay.shards > 1: the shards of a route are shared out over the relays there are, through joining, leaving,
// kill -9 and another number of shards.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

constexpr int window = 64;

RelayConfig config_for(const Shop& shop, const RedisServer& redis) {
  RelayConfig config = config_of(shop.url(), redis.url());
  config.window = window;
  return config;
}

void start(Outboxd& relay, int shards) {
  relay.environment = {{"OUTBOXD_RELAY_SHARDS", std::to_string(shards)}};
  relay.start();
}

/// Shards whose lease the relay says is its own; -1: it does not answer.
long shards_of(const Outboxd& relay) {
  const Json status = Json::parse(relay.body("/status"), nullptr, false);
  if (!status.is_object()) return -1;
  const Json route = route_of(status);
  if (!route.is_object()) return -1;
  return std::ranges::count_if(route.at("leases"),
                               [](const Json& lease) { return lease.at("mine") == true; });
}

/// The relays come to hold so many shards each, in any order.
bool share(const std::vector<const Outboxd*>& relays, const std::vector<long>& wanted) {
  std::vector<long> held;
  const bool reached = eventually([&] {
    held.clear();
    for (const Outboxd* relay : relays) held.push_back(shards_of(*relay));
    std::ranges::sort(held);
    return held == wanted;
  });
  std::string text;
  for (const long shards : held) text += std::to_string(shards) + " ";
  CHECK_MESSAGE(reached, "shards held: " << text);
  return reached;
}

void check_sharing(Shop& shop) {
  const RedisServer redis;
  Outboxd first(config_for(shop, redis)), second(config_for(shop, redis)), third(config_for(shop, redis));
  {
    const Producers producers(shop, 2, 7);
    start(first, 4);
    REQUIRE(share({&first}, {4}));
    start(second, 4);
    REQUIRE(share({&first, &second}, {2, 2}));
    start(third, 4);
    REQUIRE(share({&first, &second, &third}, {1, 1, 2}));
    for (const Outboxd* relay : {&first, &second, &third})
      CHECK(eventually([&] { return relay->metric("outbox_sent_total{route=\"main\"}").value_or(0) > 0; }));

    CHECK(third.stop(SIGTERM) == 0);
    REQUIRE(share({&first, &second}, {2, 2}));
    const auto killed = std::chrono::steady_clock::now();
    first.kill();
    REQUIRE(share({&second}, {4}));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - killed;
    MESSAGE("all shards taken over " << taken.count() << " s after kill -9, with a lease of 1 s");
  }
  const CommittedRows committed = shop.committed();
  const std::map<std::string, long> all_sent = {{"sent", static_cast<long>(committed.size())}};
  CHECK(eventually([&] { return shop.states("main") == all_sent; }));
  const Comparison comparison = committed.compare(RedisReader(redis.port()).stream("orders"));
  MESSAGE(committed.size() << " committed; " << comparison.text());
  CHECK(comparison.is_faultless());
  // Of the two shards that the killed one held, and of any that a busy machine took from the last one.
  const double sessions = 2 + second.metric("outbox_lease_lost_total").value_or(0);
  CHECK(static_cast<double>(comparison.repeated) <= sessions * window);
}

/// What is sent stays sent, and what is dead stays dead, when the number of shards changes.
void check_other_number(Shop& shop) {
  const RedisServer redis;
  Outboxd relay(config_for(shop, redis));
  start(relay, 4);
  REQUIRE(share({&relay}, {4}));
  shop.order(40);
  shop.insert({.key = "poisoned", .headers = R"({"a":1})"});
  const std::map<std::string, long> with_one_dead = {{"dead", 1}, {"sent", 40}};
  CHECK(eventually([&] { return shop.states("main") == with_one_dead; }));
  CHECK(relay.stop(SIGTERM) == 0);
  long sent = 40;
  for (const int shards : {3, 1, 2}) {
    start(relay, shards);
    CHECK(share({&relay}, {shards}));
    shop.order(20);
    const std::map<std::string, long> wanted = {{"dead", 1}, {"sent", sent += 20}};
    CHECK(eventually([&] { return shop.states("main") == wanted; }));
    CHECK(relay.stop(SIGTERM) == 0);
  }
  shop.execute("DELETE FROM outbox WHERE message_key = 'poisoned'");  // no order, and never sent
  CHECK(shop.committed().compare(RedisReader(redis.port()).stream("orders")).text() == Comparison{}.text());
}

}  // namespace

TEST_CASE("PostgreSQL: shards are shared evenly, and taken over") {
  PostgresqlShop shop;
  check_sharing(shop);
}

TEST_CASE("SQLite: shards are shared evenly, and taken over") {
  SqliteShop shop;
  check_sharing(shop);
}

TEST_CASE("PostgreSQL: another number of shards loses nothing and repeats nothing") {
  PostgresqlShop shop;
  check_other_number(shop);
}

TEST_CASE("SQLite: another number of shards loses nothing and repeats nothing") {
  SqliteShop shop;
  check_other_number(shop);
}

}  // namespace outbox::test
