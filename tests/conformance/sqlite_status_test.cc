// outbox_status on SQLite: the state of each row for each route.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "schema/embedded.h"
#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

using enum HeldState;

/// "<seq> <state> <attempts> <last error>" of each row of the route.
std::string status_of(const SqliteFixture& outbox, const std::string& route) {
  auto service = outbox.service();
  must(service.execute("ATTACH '" + outbox.state_path() + "' AS outboxd", "test"));
  must(service.execute(std::string(sqlite_status_view()), "test"));
  auto statement =
      must(service.prepare("SELECT coalesce(group_concat(seq || ' ' || state || ' ' || attempts || ' ' || "
                           "coalesce(last_error, '-'), ', '), '') FROM outbox_status WHERE route = ?1",
                           "test"));
  statement.bind(1, route);
  REQUIRE(statement.step() == SQLITE_ROW);
  return statement.string(0);
}

LeaseRequest route(const std::string& name, std::vector<std::string> topics) {
  LeaseRequest wish = request("relay-a", name);
  wish.topics = std::move(topics);
  return wish;
}

TEST_CASE("the status view tells each row's state for each route that takes or holds it") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, message_key, payload) VALUES ('order.made', 'a', ''), ('order.paid', 'a', "
      "''), "
      "('cart.made', NULL, ''), ('order.made', NULL, ''), ('odd', NULL, ''), ('order.made', NULL, ''), "
      "('order.made', NULL, ''), ('cart.made', NULL, ''), ('order.made', NULL, '')");
  auto orders = outbox.store(), carts = outbox.store();
  const Granted orders_grant = granted(*orders, route("orders", {"order.*"}));
  const Granted carts_grant = granted(*carts, route("carts", {"none", "cart.*"}));
  const Batch batch = must(orders->read({}, plenty));
  const auto held = [&](std::size_t place, HeldState state, const std::string& error, int attempts) {
    Hold hold = hold_of(batch.messages[place], state);
    hold.attempts = attempts;
    hold.last_error = error;
    if (state == scheduled) hold.due_in = std::chrono::hours(1);
    return hold;
  };
  must(orders->settle(orders_grant.lease, {"", 7},
                      {{held(0, retrying, "nack", 2), held(1, blocked, "", 0), held(3, dead, "too large", 1),
                        held(4, unrouted, "", 0), held(5, scheduled, "", 0)},
                       {},
                       {}}));
  must(carts->settle(carts_grant.lease, {"", 3}, {}));
  CHECK(status_of(outbox, "orders") ==
        "1 retrying 2 nack, 2 blocked 0 -, 4 dead 1 too large, 5 unrouted 0 -, 6 scheduled 0 -, 7 sent 0 -, "
        "9 pending 0 -");
  CHECK(status_of(outbox, "carts") == "3 sent 0 -, 8 pending 0 -");
  CHECK(status_of(outbox, "other").empty());

  // once a route takes other topics, the view goes by those
  granted(*carts, route("carts", {"*"}));
  CHECK(status_of(outbox, "carts").starts_with("1 sent 0 -, 2 sent 0 -, 3 sent 0 -, 4 pending 0 -"));
}

TEST_CASE("a row is sent when every shard has passed it") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  LeaseRequest wish = request();
  wish.shards = 2;
  const Granted first = granted(*store, wish);
  must(store->settle(first.lease, {"", 3}, {}));
  CHECK(status_of(outbox, "main") == "1 pending 0 -, 2 pending 0 -, 3 pending 0 -");
  wish.shard = 1;
  const Granted second = granted(*store, wish);
  must(store->settle(second.lease, {"", 2}, {}));
  CHECK(status_of(outbox, "main") == "1 sent 0 -, 2 sent 0 -, 3 pending 0 -");
}

TEST_CASE("in a route's topics only the asterisk is special, also for the view") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, payload) VALUES ('a[1]?', ''), ('a1x', ''), ('a[1]x', ''), ('\"b\\', ''), "
      "('A[1]?', ''), ('a[1]?/deep', '')");
  auto store = outbox.store();
  granted(*store, route("main", {"a[1]?*", "\"b\\"}));
  CHECK(status_of(outbox, "main") == "1 pending 0 -, 4 pending 0 -, 6 pending 0 -");
}

}  // namespace
}  // namespace outbox::test
