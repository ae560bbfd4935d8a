// Several routes at once: each with its own broker, topics, mark and weather.
#include <signal.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/conformance/event_lines.h"
#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/redis_server.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

void insert(Shop& shop, const std::string& topic, int count) {
  const auto session = shop.session();
  for (int i = 0; i < count; ++i)
    session->insert({.topic = topic, .key = "key-" + std::to_string(i % 3), .payload = std::to_string(i)});
}

/// 0, 1, 2, ... and nothing twice.
bool is_all_in_order(const std::vector<Received>& messages, int count) {
  if (std::ssize(messages) != count) return false;
  for (int i = 0; i < count; ++i)
    if (messages[static_cast<std::size_t>(i)].payload != std::to_string(i)) return false;
  return true;
}

void check_one_down(Shop& shop) {
  RedisServer up, down;
  const TempDir directory;
  const std::string file = directory / "events";
  down.kill();
  RelayConfig config = config_of(shop.url(), "");
  config.window = 64;
  config.routes = {{"orders", up.url(), "topics = ['order.*']"},
                   {"carts", down.url(), "topics = ['cart.*', 'basket']"},
                   {"archive", "file:" + file}};
  Outboxd relay(config);
  relay.start();
  insert(shop, "order.placed", 300);
  insert(shop, "basket", 300);

  // More than a window waits for the broker that is away: the others have theirs all the same.
  const Json meanwhile = relay.status_when([](const Json& status) {
    return route_of(status, "orders").at("sent_total") == 300 &&
           route_of(status, "archive").at("sent_total") == 600 && is_in_state(status, "backoff", "carts");
  });
  CAPTURE(meanwhile.dump(2));
  CHECK(is_in_state(meanwhile, "running", "orders"));
  CHECK(is_in_state(meanwhile, "running", "archive"));
  CHECK(is_in_state(meanwhile, "backoff", "carts"));
  CHECK(route_of(meanwhile, "carts").at("sent_total") == 0);
  CHECK(is_all_in_order(RedisReader(up.port()).stream("order.placed"), 300));

  down.start();
  const Json after =
      relay.status_when([](const Json& status) { return route_of(status, "carts").at("sent_total") == 300; });
  CHECK(route_of(after, "carts").at("sent_total") == 300);
  CHECK(is_all_in_order(RedisReader(down.port()).stream("basket"), 300));
  CHECK(RedisReader(down.port()).stream("order.placed").empty());
  CHECK(complete_events(file).size() == 600);
  CHECK(relay.stop(SIGTERM) == 0);
}

/// A move from one broker to another: both get everything for a while, then the old route goes.
void check_same_topics(Shop& shop) {
  RedisServer old_broker, new_broker;
  RelayConfig config = config_of(shop.url(), "");
  config.routes = {{"old", old_broker.url(), "topics = ['order.*']"}};
  Outboxd relay(config);
  relay.start();
  insert(shop, "order.placed", 100);
  relay.status_when([](const Json& status) { return route_of(status, "old").at("sent_total") == 100; });

  relay.config.routes.push_back({"new", new_broker.url(), "topics = ['order.*']\nstart = 'now'"});
  relay.write_config();
  relay.process().signal(SIGHUP);
  relay.status_when([](const Json& status) { return is_in_state(status, "running", "new"); });
  insert(shop, "order.paid", 200);
  const Json both = relay.status_when([](const Json& status) {
    return route_of(status, "old").at("sent_total") >= 200 && route_of(status, "new").at("sent_total") == 200;
  });
  CAPTURE(both.dump(2));
  CHECK(is_all_in_order(RedisReader(old_broker.port()).stream("order.paid"), 200));
  CHECK(is_all_in_order(RedisReader(new_broker.port()).stream("order.paid"), 200));
  CHECK(RedisReader(new_broker.port()).stream("order.placed").empty());

  relay.config.routes.erase(relay.config.routes.begin());
  relay.write_config();
  relay.process().signal(SIGHUP);
  relay.status_when([](const Json& status) { return route_of(status, "old").is_null(); });
  insert(shop, "order.sent", 50);
  relay.status_when([](const Json& status) { return route_of(status, "new").at("pending") == 0; });
  CHECK(eventually([&] { return is_all_in_order(RedisReader(new_broker.port()).stream("order.sent"), 50); },
                   patience));
  CHECK(RedisReader(old_broker.port()).stream("order.sent").empty());
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("PostgreSQL: a broker that is down stops its own route, and no other") {
  PostgresqlShop shop;
  check_one_down(shop);
}

TEST_CASE("SQLite: a broker that is down stops its own route, and no other") {
  SqliteShop shop;
  check_one_down(shop);
}

TEST_CASE("PostgreSQL: two routes may take the same topic, and one of them may go") {
  PostgresqlShop shop;
  check_same_topics(shop);
}

TEST_CASE("SQLite: two routes may take the same topic, and one of them may go") {
  SqliteShop shop;
  check_same_topics(shop);
}

}  // namespace outbox::test
