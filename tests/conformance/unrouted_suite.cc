// Rows that no route takes: who notes them, who takes them over, who lets them go.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/shard.h"
#include "tests/conformance/held_rows.h"

namespace outbox::test {
namespace {

using enum HeldState;

Wanted unrouted_row(const std::string& topic, const std::optional<std::string>& key = {}) {
  return {.key = key, .state = unrouted, .topic = topic, .attempts = 0};
}

std::string of_route(StoreFixture& fixture, const std::string& route) {
  HeldFilter filter;
  filter.route = route;
  return held_text(fixture, filter);
}

void check_unrouted_topics(StoreFixture& fixture) {
  Shelf shelf(fixture);
  const auto admin = fixture.admin();
  CHECK(admin->unrouted_topics()->empty());
  shelf.hold({{.state = unrouted, .topic = "odd"},
              {.state = unrouted, .topic = "odd"},
              {.state = unrouted, .topic = "even"},
              {.state = dead, .topic = "dead"}});
  auto topics = admin->unrouted_topics();
  REQUIRE_MESSAGE(topics, topics.error().text);
  std::ranges::sort(*topics);
  CHECK(*topics == std::vector<std::string>{"even", "odd"});
}

void check_adopt(StoreFixture& fixture) {
  Shelf shelf(fixture, request_of_route("orders", {"orders"}));
  const auto admin = fixture.admin();
  shelf.hold({{.key = "a", .state = unrouted, .topic = "odd.1", .attempts = 0},
              {.key = "a", .state = unrouted, .topic = "odd.2", .attempts = 0},
              {.key = "a", .state = unrouted, .topic = "even", .attempts = 0},
              {.state = unrouted, .topic = "odd.1", .attempts = 0},
              {.key = "a"}});
  CHECK(*admin->adopt("nowhere", {"odd.*"}) == 0);  // it has no mark
  CHECK(*admin->adopt("orders", {"other"}) == 0);
  CHECK(shelf.held() == "1 unrouted, 2 unrouted, 3 unrouted, 4 unrouted");
  const std::int64_t version = admin->routes()->front().held_version;
  const auto adopted = admin->adopt("orders", {"none", "odd.*"});
  REQUIRE_MESSAGE(adopted, adopted.error().text);
  CHECK(*adopted == 3);
  CHECK(admin->routes()->front().held_version > version);
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 unrouted, 4 retrying");
  const HeldBatch batch = shelf.read();
  CHECK(batch.rows.messages.size() == 3);
  CHECK(shelf.keys().blocked.size() == 1);
  CHECK(shelf.keys().rows_total == 4);
  CHECK(shelf.keys().rows_unrouted == 1);
  CHECK(*admin->adopt("orders", {"odd.*"}) == 0);
}

void check_adopt_scheduled(StoreFixture& fixture) {
  // adopted or not, no row goes before its time
  Shelf shelf(fixture, request_of_route("orders", {"orders"}));
  fixture.writer()->commit_rows({{.topic = "odd", .deliver_in = std::chrono::hours(1)},
                                 {.topic = "odd", .key = "a", .deliver_in = std::chrono::hours(1)},
                                 {.topic = "odd", .key = "a"},
                                 {.topic = "odd"}});
  shelf.take(std::vector<Wanted>(4, {.state = unrouted, .attempts = 0}));
  CHECK(*fixture.admin()->adopt("orders", {"odd"}) == 4);
  CHECK(shelf.held() == "1 scheduled, 2 scheduled, 3 retrying, 4 retrying");
  CHECK(shelf.due() == "3 4");
  CHECK(*shelf.keys().next_due_in == Duration::zero());
  shelf.settle({{}, {}, {{3, "a"}, {4, std::nullopt}}});
  CHECK(*shelf.keys().next_due_in > std::chrono::minutes(50));
  CHECK(fixture.audit() == std::vector<std::string>{"outboxd adopt orders"});
}

void check_noted_once(StoreFixture& fixture) {
  Shelf orders(fixture, request_of_route("orders", {"orders"})), cart(fixture, request_of_route("cart", {"cart"}));
  orders.hold({unrouted_row("odd"), {.topic = "orders"}, unrouted_row("odd", "a")});
  cart.take({unrouted_row("odd"), {}, unrouted_row("odd", "a")});
  CHECK(held_text(fixture) == "1 unrouted, 3 unrouted");
  CHECK(orders.keys().rows_unrouted == 2);
  CHECK(cart.keys().rows_total == 0);
}

void check_routed_elsewhere(StoreFixture& fixture) {
  // the routes of the database decide, whatever a relay knows of them
  Shelf orders(fixture, request_of_route("orders", {"order.*", "x_y%[1]?\\"}));
  Shelf cart(fixture, request_of_route("cart", {"cart.*"}));
  auto routed = cart.keys().routed_elsewhere;
  std::ranges::sort(routed);
  CHECK(routed == std::vector<std::string>{"order.*", "x_y%[1]?\\"});
  CHECK(orders.keys().routed_elsewhere == std::vector<std::string>{"cart.*"});
  cart.hold({unrouted_row("order.made"), unrouted_row("odd", "a"), unrouted_row("x_y%[1]?\\", "a")});
  CHECK(held_text(fixture) == "2 unrouted");
}

void check_beginning(StoreFixture& fixture) {
  // one that begins at the oldest row comes across them by itself
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  orders.hold({unrouted_row("odd"), unrouted_row("even")});
  const Shelf odd(fixture, request_of_route("odd", {"odd"}));
  CHECK(held_text(fixture) == "2 unrouted");
  CHECK(fixture.admin()->backlog("odd")->pending == 1);
  LeaseRequest request = request_of_route("even", {"even"});
  request.start = Start::now;
  const Shelf even(fixture, request);
  CHECK(held_text(fixture) == "2 unrouted");
  CHECK(*fixture.admin()->adopt("even", {"even"}) == 1);
  CHECK(of_route(fixture, "even") == "2 retrying");
}

void check_widened(StoreFixture& fixture) {
  // Its mark has passed row 1, the mark of another one rows 1 to 4; each noted what it passed.
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  Shelf cart(fixture, request_of_route("cart", {"cart"}));
  orders.hold({unrouted_row("stock", "a")});
  cart.take({unrouted_row("stock", "a")});
  orders.hold({unrouted_row("stock", "a"), unrouted_row("odd"), unrouted_row("stock")});
  CHECK(held_text(fixture) == "1 unrouted, 2 unrouted, 3 unrouted, 4 unrouted");
  Shelf wider(fixture, request_of_route("cart", {"cart", "stock"}));
  CHECK(held_text(fixture) == "1 unrouted, 3 unrouted");
  CHECK(*fixture.admin()->adopt("cart", {"stock"}) == 1);
  CHECK(of_route(fixture, "cart") == "1 retrying");
  wider.take({{}, unrouted_row("odd"), {}});
  CHECK(held_text(fixture) == "1 retrying, 3 unrouted");
}

void check_behind(StoreFixture& fixture) {
  // a route that lags notes nothing that another one takes meanwhile: that one has it already
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  Shelf cart(fixture, request_of_route("cart", {"cart"}));
  fixture.writer()->commit_rows({{.topic = "stock"}, {.topic = "stock"}});
  cart.take({unrouted_row("stock"), unrouted_row("stock")});
  const Shelf wider(fixture, request_of_route("cart", {"cart", "stock"}));
  CHECK(*fixture.admin()->adopt("cart", {"stock"}) == 2);
  orders.take({unrouted_row("stock"), unrouted_row("stock")});
  CHECK(held_text(fixture) == "1 retrying, 2 retrying");
}

void check_widened_shards(StoreFixture& fixture) {
  // of each shard what its own mark has passed stays
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  const auto cart = [](int shard, std::vector<std::string> topics) {
    LeaseRequest request = request_of_route("cart", std::move(topics));
    request.shard = shard;
    request.shards = 2;
    return request;
  };
  std::vector<Wanted> rows;
  for (char key = 'a'; key < 'k'; ++key) rows.push_back(unrouted_row("stock", std::string(1, key)));
  orders.hold(rows);
  Holder passed = holder_of(fixture, cart(0, {"cart"}));
  settle_all(passed);
  const Holder wider = holder_of(fixture, cart(1, {"cart", "stock"}));
  std::string expected;
  for (std::int64_t seq = 1; seq <= 10; ++seq)
    if (shard_of(rows[static_cast<std::size_t>(seq - 1)].key, seq, 2) == 0)
      expected += (expected.empty() ? "" : ", ") + std::to_string(seq) + " unrouted";
  CHECK_FALSE(expected.empty());
  CHECK(held_text(fixture) == expected);
  CHECK(*fixture.admin()->adopt("cart", {"stock"}) == std::ranges::count(expected, 'u') / 2);
  for (const HeldEntry& entry : *fixture.admin()->held({}, std::nullopt, 100)) CHECK(entry.shard == 0);
}

void check_dropped(StoreFixture& fixture) {
  // what it alone was still to come across, and others have passed
  Shelf cart(fixture, request_of_route("cart", {"cart", "orders"}));
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  fixture.writer()->commit_rows({{.topic = "cart"}});
  cart.take({{}});
  orders.take({{}});
  fixture.writer()->commit_rows({{.topic = "cart", .key = "a"}, {.topic = "orders"}});
  orders.take({{}, {}});
  fixture.writer()->commit_rows({{.topic = "cart"}});
  const auto admin = fixture.admin();
  REQUIRE(admin->drop_route("cart", *admin->routes(), false, "tester"));
  CHECK(held_text(fixture) == "2 unrouted");
  orders.take({unrouted_row("cart")});
  CHECK(held_text(fixture) == "2 unrouted, 4 unrouted");
}

void check_discarded(StoreFixture& fixture) {
  // no route that takes its topic one day sends it
  Shelf orders(fixture, request_of_route("orders", {"orders"}));
  orders.hold({unrouted_row("odd"), unrouted_row("odd"), {.state = dead}});
  HeldFilter filter;
  filter.seqs = {1, 3};
  const auto admin = fixture.admin();
  CHECK(admin->change_held(HeldAction::discard, filter, 10, false, "tester")->changed == 2);
  CHECK_FALSE(*admin->message(std::nullopt, 1, false));
  CHECK(*admin->message(std::nullopt, 2, false));
  CHECK(*admin->message(std::nullopt, 3, false));
  Shelf odd(fixture, request_of_route("odd", {"odd"}));
  odd.take({{}, {}});
}

}  // namespace

void unrouted_suite(StoreFixture& fixture) {
  SUBCASE("their topics are told once each") {
    check_unrouted_topics(fixture);
  }
  SUBCASE("each is noted once, by the route that passes it first") {
    check_noted_once(fixture);
  }
  SUBCASE("the routes of the database decide what is one") {
    check_routed_elsewhere(fixture);
  }
  SUBCASE("a route adopts what nobody took") {
    check_adopt(fixture);
  }
  SUBCASE("what a route adopts goes no earlier than its time") {
    check_adopt_scheduled(fixture);
  }
  SUBCASE("a route that begins lets go of what it will come across") {
    check_beginning(fixture);
  }
  SUBCASE("a route that takes more adopts what it has passed and lets go of the rest") {
    check_widened(fixture);
  }
  SUBCASE("a route that lags notes nothing that another one takes meanwhile") {
    check_behind(fixture);
  }
  SUBCASE("the same shard by shard") {
    check_widened_shards(fixture);
  }
  SUBCASE("what only a dropped route was to come across is unrouted") {
    check_dropped(fixture);
  }
  SUBCASE("a discarded one is gone for good") {
    check_discarded(fixture);
  }
}

}  // namespace outbox::test
