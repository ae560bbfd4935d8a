#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/conformance/held_rows.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using enum HeldState;

LeaseRequest route_request(const std::string& route, std::vector<std::string> topics = {"*"}) {
  LeaseRequest request = request_of("relay-1");
  request.route = route;
  request.topics = std::move(topics);
  return request;
}

std::vector<ServiceRow> rows_of(int count) {
  std::vector<ServiceRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back({.payload = std::to_string(i)});
  return rows;
}

/// Reads everything and saves the mark.
void settle_all(Holder& holder) {
  read_all(holder);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
}

/// All that retention removes, in chunks.
std::size_t removed(Admin& admin, const Retention& retention) {
  std::size_t rows = 0;
  for (;;) {
    const auto chunk = admin.remove_sent(retention);
    REQUIRE_MESSAGE(chunk, chunk.error().text);
    rows += chunk->rows;
    if (!chunk->more) return rows;
  }
}

/// The rows that are still there, of the first `count`.
std::string there(StoreFixture& fixture, std::int64_t count) {
  const auto admin = fixture.admin();
  std::string text;
  for (std::int64_t seq = 1; seq <= count; ++seq) {
    const auto found = admin->message(std::nullopt, seq, false);
    REQUIRE_MESSAGE(found, found.error().text);
    if (*found) text += (text.empty() ? "" : " ") + std::to_string(seq);
  }
  return text;
}

Retention kept_for(Duration sent, std::size_t rows_max = 1000) {
  return {sent, std::nullopt, rows_max};
}

void check_routes(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->routes()->empty());
  const Holder orders = holder_of(fixture, route_request("orders")),
               audit = holder_of(fixture, route_request("audit"));
  const auto routes = admin->routes();
  REQUIRE_MESSAGE(routes, routes.error().text);
  REQUIRE(routes->size() == 2);
  CHECK((*routes)[0].route == "audit");
  CHECK((*routes)[1].route == "orders");
  CHECK((*routes)[1].owner == "relay-1");
  CHECK((*routes)[1].epoch == orders.lease.epoch);
  CHECK_FALSE((*routes)[1].paused);
}

void check_drop(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->drop_route("orders", {}, false, "tester").error().fault == Fault::refused);
  Shelf shelf(fixture, route_request("orders", {"orders"}));
  const Shelf other(fixture, route_request("audit", {"orders"}));
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
  Holder holder = holder_of(fixture, route_request("orders", {"order.*", "x_y"}));
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
  LeaseRequest request = request_of("relay-1");
  request.shards = 2;
  Holder first = holder_of(fixture, request);
  request.shard = 1;
  Holder second = holder_of(fixture, request);
  fixture.writer()->commit_rows(rows_of(5));
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
  CHECK(*held == std::map<HeldState, std::int64_t>{{retrying, 1}, {blocked, 2}, {dead, 1}});
  CHECK(admin->held_counts("nowhere")->empty());
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

void check_retention(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  Shelf shelf(fixture);
  shelf.hold(
      {{.key = "a"}, {.key = "a", .state = retrying}, {}, {.state = dead}, {}, {.state = unrouted}, {}});
  fixture.writer()->commit_rows(rows_of(2));
  CHECK(removed(*admin, kept_for(hours(1))) == 0);  // younger
  CHECK(there(fixture, 9) == "1 2 3 4 5 6 7 8 9");
  CHECK(removed(*admin, kept_for(Duration::zero())) == 4);
  CHECK(there(fixture, 9) == "2 4 6 8 9");
  settle_all(shelf.holder);
  CHECK(removed(*admin, kept_for(Duration::zero())) == 2);
  CHECK(there(fixture, 9) == "2 4 6");
  shelf.remove({{2, "a"}});
  HeldFilter filter;
  filter.state = unrouted;
  REQUIRE(fixture.admin()->change_held(HeldAction::discard, filter, 10, false, "tester"));
  CHECK(there(fixture, 9) == "2 4");  // that one no retention has to wait for
  CHECK(removed(*admin, kept_for(Duration::zero())) == 1);
  CHECK(there(fixture, 9) == "4");
  CHECK(shelf.held() == "4 dead");
}

void check_retention_routes(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  fixture.writer()->commit_rows(rows_of(3));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);  // nobody has begun
  Holder orders = holder_of(fixture, route_request("orders"));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);
  settle_all(orders);
  Holder audit = holder_of(fixture, route_request("audit", {"none"}));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);  // the slowest has not passed them
  settle_all(audit);
  CHECK(removed(*admin, kept_for(Duration::zero())) == 3);
  CHECK(there(fixture, 3).empty());
}

void check_retention_shards(StoreFixture& fixture) {
  LeaseRequest request = request_of("relay-1");
  request.shards = 2;
  Holder first = holder_of(fixture, request);
  request.shard = 1;
  Holder second = holder_of(fixture, request);
  fixture.writer()->commit_rows(rows_of(4));
  settle_all(first);
  CHECK(removed(*fixture.admin(), kept_for(Duration::zero())) == 0);
  settle_all(second);
  CHECK(removed(*fixture.admin(), kept_for(Duration::zero())) == 4);
}

void check_retention_chunks(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  Shelf shelf(fixture);
  std::vector<Wanted> rows(250);
  rows[3].state = rows[120].state = dead;
  shelf.hold(rows);
  const auto chunk = admin->remove_sent(kept_for(Duration::zero(), 100));
  REQUIRE_MESSAGE(chunk, chunk.error().text);
  CHECK(chunk->rows == 99);
  CHECK(chunk->more);
  CHECK(there(fixture, 102) == "4 101 102");
  CHECK(removed(*admin, kept_for(Duration::zero(), 100)) == 149);
  CHECK(there(fixture, 250) == "4 121");
  // it begins anew: what could not be removed then can be now
  shelf.remove({{4, std::nullopt}, {121, std::nullopt}});
  CHECK(removed(*admin, kept_for(Duration::zero(), 100)) == 2);
  fixture.writer()->commit_rows(rows_of(1));
  settle_all(shelf.holder);
  CHECK(removed(*admin, kept_for(Duration::zero(), 100)) == 1);
}

void check_retention_dead(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = dead},
              {.key = "b", .state = dead, .blocks = true},
              {.key = "b", .state = blocked},
              {.state = retrying},
              {.state = unrouted}});
  CHECK(removed(*admin, {Duration::zero(), hours(1), 100}) == 0);
  const std::int64_t version = admin->routes()->front().held_version;
  CHECK(shelf.held() == "1 dead, 2 dead, 3 blocked, 4 retrying, 5 unrouted");
  CHECK(removed(*admin, {hours(1), Duration::zero(), 100}) ==
        0);  // the letter goes, its row stays as long as others
  CHECK(shelf.held() == "2 dead, 3 blocked, 4 retrying, 5 unrouted");
  CHECK(admin->routes()->front().held_version > version);  // a relay that held_max has stopped looks again
  CHECK(removed(*admin, kept_for(Duration::zero())) == 1);
  CHECK(there(fixture, 5) == "2 3 4 5");
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

}  // namespace

void upkeep_suite(StoreFixture& fixture) {
  SUBCASE("routes are listed with their leases") {
    check_routes(fixture);
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
  SUBCASE("keys that wait are told with the row that they wait for") {
    check_blocked_keys(fixture);
  }
  SUBCASE("retention keeps what is held, unsettled or young") {
    check_retention(fixture);
  }
  SUBCASE("retention keeps what another route has not passed") {
    check_retention_routes(fixture);
  }
  SUBCASE("retention keeps what another shard has not passed") {
    check_retention_shards(fixture);
  }
  SUBCASE("retention goes chunk by chunk, and then from the start") {
    check_retention_chunks(fixture);
  }
  SUBCASE("dead letters go when that is wanted, unless they block") {
    check_retention_dead(fixture);
  }
  SUBCASE("relays see each other, and each moves its own beat") {
    check_members(fixture);
  }
}

}  // namespace outbox::test
