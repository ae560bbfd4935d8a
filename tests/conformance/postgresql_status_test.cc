// The view tells the truth about each row, for each route and in each state.
#include <doctest/doctest.h>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using enum HeldState;

std::string states(const Sql& sql, const std::string& route = "orders") {
  return sql.run(
      "SELECT string_agg(seq || ' ' || state, ', ' ORDER BY seq) FROM outbox_status WHERE route = '" + route +
      "'");
}

LeaseRequest route_request(const std::string& route, std::vector<std::string> topics, int shard = 0,
                           int shards = 1) {
  LeaseRequest request = request_of("relay-1");
  request.route = route;
  request.topics = std::move(topics);
  request.shard = shard;
  request.shards = shards;
  return request;
}

TEST_CASE("PostgreSQL: the status view tells every state, and moves with the mark") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Shelf shelf(fixture);
  shelf.hold({{},
              {.key = "a", .state = retrying, .attempts = 2, .last_error = "no"},
              {.key = "a", .state = blocked},
              {.state = scheduled, .due_in = hours(1)},
              {.state = dead},
              {.state = unrouted}});
  fixture.writer()->commit_rows({{}, {}});
  CHECK(states(sql) ==
        "1 sent, 2 retrying, 3 blocked, 4 scheduled, 5 dead, 6 unrouted, 7 pending, 8 pending");
  CHECK(sql.run("SELECT attempts || last_error FROM outbox_status WHERE state = 'retrying'") == "2no");
  const auto batch = shelf.holder.store->read(shelf.holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(shelf.holder.store->settle(shelf.holder.lease, {batch->cursor, 7}, {}));
  CHECK(states(sql) == "1 sent, 2 retrying, 3 blocked, 4 scheduled, 5 dead, 6 unrouted, 7 sent, 8 pending");
  REQUIRE(shelf.holder.store->settle(shelf.holder.lease, batch->end, {{}, {}, {{2, "a"}}}));
  CHECK(states(sql) == "1 sent, 2 sent, 3 retrying, 4 scheduled, 5 dead, 6 unrouted, 7 sent, 8 sent");
}

TEST_CASE("PostgreSQL: the status view shows a row for the routes that take it, or that hold it") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Shelf orders(fixture, route_request("orders", {"order.*"}));
  Shelf odd(fixture, route_request("odd", {"50%", "a_c", "back\\slash"}));
  orders.hold({{.topic = "order.made"},
               {.topic = "50%"},
               {.topic = "500"},
               {.state = unrouted, .topic = "a.c"},
               {.topic = "a_c"},
               {.topic = "back\\slash"}});
  CHECK(states(sql) == "1 sent, 4 unrouted");
  CHECK(states(sql, "odd") == "2 pending, 5 pending, 6 pending");
}

TEST_CASE("PostgreSQL: a row is sent once every shard has passed it") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Holder first = holder_of(fixture, route_request("orders", {"*"}, 0, 2)),
         second = holder_of(fixture, route_request("orders", {"*"}, 1, 2));
  fixture.writer()->commit_rows({{}, {}});
  for (Holder* holder : {&first, &second}) {
    CHECK(states(sql) == "1 pending, 2 pending");
    CHECK(read_all(*holder).size() == 2);
    REQUIRE(holder->store->settle(holder->lease, holder->mark, {}));
  }
  CHECK(states(sql) == "1 sent, 2 sent");
}

TEST_CASE("PostgreSQL: nothing is sent by a mark of another cluster, nor removed, nor replayed") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Shelf shelf(fixture);
  shelf.hold({{}, {}});
  CHECK(states(sql) == "1 sent, 2 sent");
  sql.run("UPDATE outbox_mark SET system_identifier = 1");
  CHECK(states(sql) == "1 pending, 2 pending");
  CHECK(fixture.admin()->backlog("orders")->pending == 2);
  const auto removed = fixture.admin()->remove_sent({Duration::zero(), std::nullopt, 100});
  REQUIRE(removed);
  CHECK(removed->rows == 0);
  const auto replayed = fixture.admin()->replay("orders", {MarkPlace::Kind::oldest, 0, ""}, false, "tester");
  REQUIRE_FALSE(replayed);
  CHECK(replayed.error().text.find("outboxd mark rebase") != std::string::npos);
}

}  // namespace
}  // namespace outbox::test
