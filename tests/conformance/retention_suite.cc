// What retention removes, and what it keeps.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>

#include "tests/conformance/held_rows.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using enum HeldState;

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

void check_retention(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  Shelf shelf(fixture);
  shelf.hold(
      {{.key = "a"}, {.key = "a", .state = retrying}, {}, {.state = dead}, {}, {.state = unrouted}, {}});
  fixture.writer()->commit_rows(service_rows(2));
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

/// As relays do that take turns: each with a memory of its own.
std::size_t removed_by_others(StoreFixture& fixture, Duration kept) {
  return removed(*fixture.admin(), kept_for(kept));
}

void check_retention_after_outage(StoreFixture& fixture) {
  constexpr auto kept = std::chrono::milliseconds(800);
  fixture.writer()->commit_rows(service_rows(3));
  fixture.execute("UPDATE outbox SET created_at = '2026-01-01T00:00:00.000Z'");
  Holder holder = holder_of(fixture, request_of_route("orders"));
  CHECK(removed_by_others(fixture, kept) == 0);
  const auto passed_at = std::chrono::steady_clock::now();
  settle_all(holder);
  CHECK(removed_by_others(fixture, kept) == 0);  // however old they are
  CHECK(eventually([&] { return removed_by_others(fixture, kept) == 3; }));
  CHECK(std::chrono::steady_clock::now() - passed_at >= kept);
  fixture.writer()->commit_rows(service_rows(2));
  settle_all(holder);
  CHECK(removed_by_others(fixture, kept) == 0);  // the time of the others does not count
  CHECK(eventually([&] { return removed_by_others(fixture, kept) == 2; }));
}

void let_pass(Duration time) {
  const auto until = std::chrono::steady_clock::now() + time;
  REQUIRE(eventually([&] { return std::chrono::steady_clock::now() >= until; }));
}

void check_retention_slowest(StoreFixture& fixture) {
  constexpr auto kept = std::chrono::milliseconds(800);
  Holder orders = holder_of(fixture, request_of_route("orders")),
         audit = holder_of(fixture, request_of_route("audit"));
  CHECK(removed_by_others(fixture, kept) == 0);
  fixture.writer()->commit_rows(service_rows(3));
  settle_all(orders);
  for (int looks = 0; looks < 3; ++looks) {
    let_pass(kept);
    CHECK(removed_by_others(fixture, kept) == 0);
  }
  settle_all(audit);
  CHECK(removed_by_others(fixture, kept) == 0);
  CHECK(eventually([&] { return removed_by_others(fixture, kept) == 3; }));
}

/// What was passed for long enough is passed again, and between two looks of retention.
void check_retention_begins_anew(StoreFixture& fixture, const std::function<void()>& pass_again) {
  constexpr auto kept = std::chrono::milliseconds(800);
  fixture.writer()->commit_rows(service_rows(3));
  Holder holder = holder_of(fixture, request_of_route("orders"));
  settle_all(holder);
  CHECK(removed_by_others(fixture, kept) == 0);
  let_pass(2 * kept);
  pass_again();
  CHECK(removed_by_others(fixture, kept) == 0);
  CHECK(eventually([&] { return removed_by_others(fixture, kept) == 3; }));
}

void check_retention_routes(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  fixture.writer()->commit_rows(service_rows(3));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);  // nobody has begun
  Holder orders = holder_of(fixture, request_of_route("orders"));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);
  settle_all(orders);
  Holder audit = holder_of(fixture, request_of_route("audit", {"none"}));
  CHECK(removed(*admin, kept_for(Duration::zero())) == 0);  // the slowest has not passed them
  settle_all(audit);
  CHECK(removed(*admin, kept_for(Duration::zero())) == 3);
  CHECK(there(fixture, 3).empty());
}

void check_retention_shards(StoreFixture& fixture) {
  auto [first, second] = holders_of_two_shards(fixture);
  fixture.writer()->commit_rows(service_rows(4));
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
  fixture.writer()->commit_rows(service_rows(1));
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

}  // namespace

void retention_suite(StoreFixture& fixture) {
  SUBCASE("retention keeps what is held, unsettled or young") {
    check_retention(fixture);
  }
  SUBCASE("retention counts from when a row was passed, whoever looks when") {
    check_retention_after_outage(fixture);
  }
  SUBCASE("retention counts from when the slowest route passed a row") {
    check_retention_slowest(fixture);
  }
  SUBCASE("retention begins anew for what is replayed") {
    check_retention_begins_anew(fixture, [&] {
      MarkPlace oldest;
      REQUIRE(fixture.admin()->replay("orders", oldest, false, "tester"));
      Holder holder = holder_of(fixture, request_of_route("orders"));
      settle_all(holder);
    });
  }
  SUBCASE("retention begins anew for what a new route has passed") {
    check_retention_begins_anew(fixture, [&] {
      Holder holder = holder_of(fixture, request_of_route("audit"));
      settle_all(holder);
    });
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
}

}  // namespace outbox::test
