// Several routes at once: each with its own broker, topics, mark and weather.
#include <signal.h>

#include <map>
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

/// Rows of "shelf" that the file has: each once, in the order of its key.
bool has_shelf(const std::string& file, int count) {
  std::map<int, int> next_of_key;  // number modulo 3: see insert()
  int found = 0;
  for (const Received& message : complete_events(file)) {
    if (message.topic != "shelf") continue;
    const int number = std::stoi(message.payload);
    int& next = next_of_key.try_emplace(number % 3, number % 3).first->second;
    if (number != next) return false;
    next += 3;
    ++found;
  }
  return found == count;
}

/// The route's mark has passed them while nobody took them; that of the first route has still to come there.
void check_widened(Shop& shop) {
  RedisServer broker;
  const TempDir directory;
  broker.kill();
  RelayConfig config = config_of(shop.url(), "");
  config.window = 64;
  config.routes = {{"orders", broker.url(), "topics = ['order.*']"},
                   {"stock", "file:" + (directory / "stock"), "topics = ['stock.*']"}};
  Outboxd relay(config);
  relay.start();
  insert(shop, "order.placed", 300);
  insert(shop, "shelf", 50);
  insert(shop, "stock.low", 1);
  relay.status_when([](const Json& status) { return route_of(status, "stock").at("sent_total") == 1; });
  CHECK(relay.stop(SIGTERM) == 0);

  relay.config.routes[1].more = "topics = ['stock.*', 'shelf']";
  relay.write_config();
  broker.start();
  relay.start();
  relay.status_when([](const Json& status) { return route_of(status, "orders").at("sent_total") == 300; });
  CHECK(eventually([&] { return has_shelf(directory / "stock", 50); }, patience));
  CHECK(eventually(
      [&] {
        return shop.states("stock") == std::map<std::string, long>{{"sent", 51}};
      },
      patience));
  CHECK(relay.stop(SIGTERM) == 0);
}

RelayConfig only_route(const Shop& shop, const std::string& name, const std::string& file) {
  RelayConfig config = config_of(shop.url(), "");
  config.routes = {{name, "file:" + file, "topics = ['" + name + "']"}};
  return config;
}

/// A relay that runs hears of a route that another one has begun.
void check_hears(Shop& shop) {
  const TempDir directory;
  Outboxd orders(only_route(shop, "orders", directory / "orders")),
      carts(only_route(shop, "carts", directory / "carts"));
  orders.start();
  orders.status_when([](const Json& status) { return is_in_state(status, "running", "orders"); });
  // What it looks at when it is new is behind it then.
  CHECK(orders.command({"pause", "--route", "orders"}).exit_code == 0);
  orders.status_when([](const Json& status) { return is_in_state(status, "paused", "orders"); });
  CHECK(orders.command({"resume", "--route", "orders"}).exit_code == 0);
  orders.status_when([](const Json& status) { return is_in_state(status, "running", "orders"); });
  carts.start();
  carts.status_when([](const Json& status) { return is_in_state(status, "running", "carts"); });
  int sent = 0;
  const auto unrouted_so_far = [&] {
    insert(shop, "carts", 1);
    insert(shop, "orders", 1);
    ++sent;
    const Json status =
        orders.status_when([&](const Json& now) { return route_of(now, "orders").at("sent_total") == sent; });
    return route_of(status, "orders").at("unrouted_total").get<int>();
  };
  CHECK(eventually([&] { return unrouted_so_far() == unrouted_so_far(); }, patience));
  for (Outboxd* relay : {&orders, &carts}) CHECK(relay->stop(SIGTERM) == 0);
}

/// Each with a configuration of its own, which says nothing of the other's routes.
void check_two_relays(Shop& shop) {
  const TempDir directory;
  Outboxd orders(only_route(shop, "orders", directory / "orders")),
      carts(only_route(shop, "carts", directory / "carts"));
  for (Outboxd* relay : {&orders, &carts}) {
    relay->start();
    relay->status_when([](const Json& status) { return status.at("state") == "running"; });
  }
  insert(shop, "orders", 100);
  insert(shop, "carts", 100);
  insert(shop, "shelf", 100);
  const auto held = [&] { return orders.command({"held", "list", "--json", "--limit", "1000"}).output; };
  const auto count = [](const std::string& text, const std::string& what) {
    int found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++found;
    return found;
  };
  CHECK(eventually([&] { return count(held(), "\"unrouted\"") == 100; }, patience));
  for (Outboxd* relay : {&orders, &carts}) {
    CHECK(is_all_in_order(read_event_lines(read_file(directory / relay->config.routes[0].name)), 100));
    CHECK(relay->stop(SIGTERM) == 0);
    relay->config.routes.push_back({"shelf", "file:" + (directory / "shelf"), "topics = ['shelf']"});
    relay->write_config();
    relay->start();
  }
  CHECK(eventually([&] { return complete_events(directory / "shelf").size() >= 100; }, patience));
  CHECK(eventually([&] { return count(held(), "\"unrouted\"") == 0; }, patience));
  for (Outboxd* relay : {&orders, &carts}) CHECK(relay->stop(SIGTERM) == 0);
  CHECK(has_shelf(directory / "shelf", 100));
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

TEST_CASE("PostgreSQL: a route that takes more gets what it has passed, however far behind another one is") {
  PostgresqlShop shop;
  check_widened(shop);
}

TEST_CASE("SQLite: a route that takes more gets what it has passed, however far behind another one is") {
  SqliteShop shop;
  check_widened(shop);
}

TEST_CASE(
    "PostgreSQL: relays with routes of their own leave each other's rows alone, and nobody's rows go out "
    "once") {
  PostgresqlShop shop;
  check_two_relays(shop);
}

TEST_CASE(
    "SQLite: relays with routes of their own leave each other's rows alone, and nobody's rows go out once") {
  SqliteShop shop;
  check_two_relays(shop);
}

TEST_CASE("PostgreSQL: a relay hears of a route that another one has begun") {
  PostgresqlShop shop;
  check_hears(shop);
}

TEST_CASE("SQLite: a relay hears of a route that another one has begun") {
  SqliteShop shop;
  check_hears(shop);
}

}  // namespace outbox::test
