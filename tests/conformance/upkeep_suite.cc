#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "tests/conformance/held_rows.h"

namespace outbox::test {

LeaseRequest request_of_route(const std::string& route, std::vector<std::string> topics) {
  LeaseRequest request = request_of("relay-1");
  request.route = route;
  request.topics = std::move(topics);
  return request;
}

std::vector<ServiceRow> service_rows(int count) {
  std::vector<ServiceRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back({.payload = std::to_string(i)});
  return rows;
}

void settle_all(Holder& holder) {
  read_all(holder);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
}

namespace {

using std::chrono::hours;
using std::chrono::seconds;
using enum HeldState;

void check_routes(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->routes()->empty());
  const Holder orders = holder_of(fixture, request_of_route("orders")),
               audit = holder_of(fixture, request_of_route("audit"));
  const auto routes = admin->routes();
  REQUIRE_MESSAGE(routes, routes.error().text);
  REQUIRE(routes->size() == 2);
  CHECK((*routes)[0].route == "audit");
  CHECK((*routes)[1].route == "orders");
  CHECK((*routes)[1].owner == "relay-1");
  CHECK((*routes)[1].epoch == orders.lease.epoch);
  CHECK_FALSE((*routes)[1].paused);
}

void check_retention_asked_for(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  const auto asked_for = [&](Duration kept, int shards) {
    for (int shard = 0; shard < shards; ++shard) {
      LeaseRequest request = request_of_route("orders");
      request.retention = kept;
      request.shard = shard;
      request.shards = shards;
      holder_of(fixture, request);
    }
    for (const RouteShard& row : *admin->routes()) CHECK(row.retention == kept);
    CHECK(std::ssize(*admin->routes()) == shards);
  };
  asked_for(hours(3), 1);
  asked_for(hours(1), 1);
  asked_for(hours(2), 2);
}

void check_drop(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->drop_route("orders", {}, false, "tester").error().fault == Fault::refused);
  Shelf shelf(fixture, request_of_route("orders", {"orders"}));
  const Shelf other(fixture, request_of_route("audit", {"orders"}));
  shelf.hold({{.key = "a", .state = dead}, {.state = unrouted, .topic = "odd"}, {}});
  const auto refused = admin->drop_route("orders", {}, false, "tester");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().fault == Fault::refused);
  CHECK(refused.error().text.find("relay-1 holds the lease") != std::string::npos);
  // seen to stand still; then it moves
  const auto seen = *admin->routes();
  CHECK(shelf.holder.store->renew(shelf.holder.lease));
  CHECK_FALSE(admin->drop_route("orders", seen, false, "tester"));
  const auto dry = admin->drop_route("orders", *admin->routes(), true, "tester");
  REQUIRE_MESSAGE(dry, dry.error().text);
  CHECK(dry->matched == 1);
  CHECK(admin->routes()->size() == 2);
  const auto dropped = admin->drop_route("orders", *admin->routes(), false, "tester");
  REQUIRE_MESSAGE(dropped, dropped.error().text);
  CHECK(dropped->changed == 1);
  REQUIRE(admin->routes()->size() == 1);
  CHECK(admin->routes()->front().route == "audit");
  CHECK(held_text(fixture) == "2 unrouted");  // that no route takes it is still true
  CHECK(shelf.holder.store->renew(shelf.holder.lease).error().fault == Fault::fenced);
  CHECK(fixture.audit() == std::vector<std::string>{"tester route_drop orders"});
}

void check_backlog(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  fixture.writer()->commit_rows(
      {{.topic = "order.made"}, {.topic = "cart.made"}, {.topic = "order.paid"}, {.topic = "order%"}});
  CHECK(admin->backlog("orders")->pending == 4);  // nobody has said yet what it takes
  Holder holder = holder_of(fixture, request_of_route("orders", {"order.*", "x_y"}));
  auto backlog = admin->backlog("orders");
  REQUIRE_MESSAGE(backlog, backlog.error().text);
  CHECK(backlog->pending == 2);
  CHECK(backlog->oldest_age >= Duration::zero());
  CHECK(backlog->oldest_age < hours(1));
  fixture.writer()->commit_rows({{.topic = "xzy"}, {.topic = "x_y"}});
  CHECK(admin->backlog("orders")->pending == 3);
  settle_all(holder);
  CHECK(admin->backlog("orders")->pending == 0);
  CHECK(admin->backlog("orders")->oldest_age == Duration::zero());
}

void check_backlog_shards(StoreFixture& fixture) {
  auto [first, second] = holders_of_two_shards(fixture);
  fixture.writer()->commit_rows(service_rows(5));
  settle_all(first);
  CHECK(fixture.admin()->backlog("orders")->pending == 5);  // as far as the slowest of them tells
  settle_all(second);
  CHECK(fixture.admin()->backlog("orders")->pending == 0);
}

void check_held(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.key = "a", .state = blocked},
              {.state = dead}});
  const auto admin = fixture.admin();
  const auto held = admin->held_counts("orders");
  REQUIRE_MESSAGE(held, held.error().text);
  std::map<HeldState, std::int64_t> rows;
  for (const auto& [state, count] : *held) rows[state] = count.rows;
  CHECK(rows == std::map<HeldState, std::int64_t>{{retrying, 1}, {blocked, 2}, {dead, 1}});
  CHECK(admin->held_counts("nowhere")->empty());
}

void check_held_ages(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.state = dead},
              {.state = retrying}});
  fixture.execute("UPDATE outbox SET created_at = '2020-01-01T00:00:00.000Z' WHERE seq <= 2");
  fixture.execute("UPDATE outbox SET created_at = '2999-01-01T00:00:00.000Z' WHERE seq = 3");
  const auto held = *fixture.admin()->held_counts("orders");
  for (const HeldState state : {retrying, blocked}) CHECK(held.at(state).oldest_age > hours(24 * 365));
  CHECK(held.at(dead).oldest_age >=
        Duration::zero());  // a service's clock does not make it older, nor younger
  CHECK(held.at(dead).oldest_age < hours(1));
  CHECK(oldest_waiting({5, hours(1)}, held) ==
        std::max(held.at(retrying).oldest_age, held.at(blocked).oldest_age));
  CHECK(oldest_waiting({5, hours(1)}, {{dead, {1, hours(2)}}}) == hours(1));  // nobody waits for that
}

void check_oldest_row(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(*admin->oldest_row_age() == Duration::zero());
  Shelf shelf(fixture);
  shelf.hold({{.state = dead}, {.state = unrouted}, {}});
  fixture.execute("UPDATE outbox SET created_at = '2020-01-01T00:00:00.000Z' WHERE seq < 3");
  CHECK(*admin->oldest_row_age() < hours(1));  // what is held stays until somebody decides
  fixture.execute("UPDATE outbox SET created_at = '2020-01-01T00:00:00.000Z'");
  CHECK(*admin->oldest_row_age() > hours(24 * 365));
}

void check_blocked_keys(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold(
      {{.key = "a", .state = retrying, .attempts = 4, .last_error = "no"}, {.key = "a", .state = blocked}});
  shelf.hold({{.key = "b", .state = dead, .blocks = true},
              {.key = "b", .state = blocked},
              {.key = "b", .state = blocked},
              {.state = retrying},
              {.key = "c", .state = dead}});
  const auto admin = fixture.admin();
  const auto keys = admin->blocked_keys("orders", 10);
  REQUIRE_MESSAGE(keys, keys.error().text);
  REQUIRE(keys->size() == 2);
  const BlockedKey &first = (*keys)[0], &second = (*keys)[1];
  CHECK(first.key == "a");
  CHECK(first.seq == 1);
  CHECK(first.id == shelf.entry(1).id);
  CHECK(first.state == retrying);
  CHECK(first.attempts == 4);
  CHECK(first.last_error == "no");
  CHECK(first.age >= Duration::zero());
  CHECK(first.age < hours(1));
  CHECK(first.rows == 2);
  CHECK(second.key == "b");
  CHECK(second.state == dead);
  CHECK(second.rows == 3);
  CHECK(admin->blocked_keys("orders", 1)->size() == 1);
}

void check_waiting_topics(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.state = retrying, .topic = "bad", .last_error = "no such topic", .for_topic = true},
              {.state = retrying, .topic = "worse", .last_error = "full", .for_topic = true},
              {.state = retrying, .topic = "worse", .last_error = "still full", .for_topic = true},
              {.state = retrying},
              {.state = dead, .last_error = "too large"},
              {.state = unrouted}});
  fixture.execute("UPDATE outbox SET created_at = '2020-01-01T00:00:00.000Z'");
  const auto admin = fixture.admin();
  const auto topics = admin->waiting_topics("orders", 10);
  REQUIRE_MESSAGE(topics, topics.error().text);
  REQUIRE(topics->size() == 2);
  const WaitingTopic &first = (*topics)[0], &second = (*topics)[1];
  CHECK(first.topic == "worse");
  CHECK(first.reason == "full");
  CHECK(first.rows == 2);
  CHECK(first.age >= Duration::zero());
  CHECK(first.age < hours(1));  // it was no trouble when the row was made
  CHECK(second.topic == "bad");
  CHECK(second.rows == 1);
  CHECK(admin->waiting_topics("orders", 1)->size() == 1);
  CHECK(admin->waiting_topics("others", 10)->empty());
}

void check_members(StoreFixture& fixture) {
  const auto first = fixture.admin(), second = fixture.admin();
  const auto owners = [](const std::vector<RelayMember>& members) {
    std::set<std::string> names;
    for (const RelayMember& member : members) names.insert(member.owner);
    return names;
  };
  const auto beat = [](const std::vector<RelayMember>& members, const std::string& owner) {
    const auto found = std::ranges::find(members, owner, &RelayMember::owner);
    REQUIRE(found != members.end());
    return found->beat;
  };
  const auto alone = first->join("relay-1");
  REQUIRE_MESSAGE(alone, alone.error().text);
  CHECK(owners(*alone) == std::set<std::string>{"relay-1"});
  const auto both = second->join("relay-2");
  REQUIRE_MESSAGE(both, both.error().text);
  CHECK(owners(*both) == std::set<std::string>{"relay-1", "relay-2"});
  CHECK(beat(*both, "relay-1") == beat(*alone, "relay-1"));  // only its own call moves it
  const auto again = first->join("relay-1");
  CHECK(beat(*again, "relay-1") != beat(*both, "relay-1"));
  CHECK(beat(*again, "relay-2") == beat(*both, "relay-2"));
  REQUIRE(second->leave("relay-2"));
  REQUIRE(second->leave("relay-2"));
  CHECK(owners(*first->join("relay-1")) == std::set<std::string>{"relay-1"});
}

/// What a later release may bring: a column more, while a relay runs.
void check_later_migration(StoreFixture& fixture) {
  const Migration later = {2, "tenants", "0000", "ALTER TABLE outbox ADD COLUMN tenant text",
                           "ALTER TABLE outbox DROP COLUMN tenant"};
  const auto admin = fixture.admin();
  Shelf shelf(fixture);
  shelf.hold({{}, {.key = "a", .state = dead}});
  fixture.writer()->commit_rows({{.key = "a", .payload = "before"}});
  const auto applied = admin->apply(later);
  REQUIRE_MESSAGE(applied, applied.error().text);
  CHECK(*applied);
  CHECK_FALSE(*fixture.admin()->apply(later));
  fixture.writer()->commit_rows({{.key = "a", .payload = "after"}});
  CHECK(read_all(shelf.holder) == std::vector<std::string>{"before", "after"});
  REQUIRE(shelf.holder.store->settle(shelf.holder.lease, shelf.holder.mark, {}));
  CHECK(shelf.held() == "2 dead");
  const auto record = admin->migrations();
  REQUIRE_MESSAGE(record, record.error().text);
  REQUIRE(record->size() == 2);
  CHECK(record->back().name == "tenants");
  CHECK(record->back().checksum == "0000");
  // it drops no row: those that are not sent are no obstacle
  fixture.writer()->commit_rows({{.payload = "later"}});
  const auto reverted = admin->revert(later, false);
  REQUIRE_MESSAGE(reverted, reverted.error().text);
  CHECK(admin->migrations()->size() == 1);
  CHECK(read_all(shelf.holder) == std::vector<std::string>{"later"});
}

}  // namespace

void upkeep_suite(StoreFixture& fixture) {
  SUBCASE("routes are listed with their leases") {
    check_routes(fixture);
  }
  SUBCASE("each route has the retention that its last holder asked for") {
    check_retention_asked_for(fixture);
  }
  SUBCASE("a route that is given up is dropped, but not while a relay holds its lease") {
    check_drop(fixture);
  }
  SUBCASE("the backlog is what the route takes and has not settled") {
    check_backlog(fixture);
  }
  SUBCASE("the backlog is that of the slowest shard") {
    check_backlog_shards(fixture);
  }
  SUBCASE("what is held is counted by state") {
    check_held(fixture);
  }
  SUBCASE("how long the oldest held row waits is told by state") {
    check_held_ages(fixture);
  }
  SUBCASE("how old the oldest row is, of those that nobody holds") {
    check_oldest_row(fixture);
  }
  SUBCASE("keys that wait are told with the row that they wait for") {
    check_blocked_keys(fixture);
  }
  SUBCASE("topics that rows wait for are told with how many do") {
    check_waiting_topics(fixture);
  }
  retention_suite(fixture);
  SUBCASE("a later migration comes and goes under a running relay") {
    check_later_migration(fixture);
  }
  SUBCASE("relays see each other, and each moves its own beat") {
    check_members(fixture);
  }
}

}  // namespace outbox::test
