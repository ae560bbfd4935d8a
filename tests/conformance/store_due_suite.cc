#include <doctest/doctest.h>

#include "tests/conformance/held_rows.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using enum HeldState;

void check_order(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = -seconds(1), .attempts = 3},
              {.key = "b", .state = retrying, .due_in = -seconds(5), .attempts = 2},
              {.key = "a", .state = blocked, .attempts = 0},
              {.key = "live"},
              {.state = retrying, .due_in = -seconds(3)},
              {.key = "a", .state = blocked, .attempts = 0},
              {.key = "b", .state = blocked, .attempts = 0}});
  const HeldBatch batch = shelf.read();
  CHECK(seqs_text(batch.rows) == "2 7 5 1 3 6");
  CHECK(attempts_text(batch) == "2 0 1 3 0 0");
  CHECK_FALSE(batch.next_due_in);
  CHECK(batch.rows.messages[0].key == "b");
  CHECK_FALSE(batch.rows.messages[2].key);
}

void check_due(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = scheduled, .due_in = hours(2)},
              {.key = "b", .state = retrying, .due_in = hours(1)}});
  HeldBatch batch = shelf.read();
  CHECK(batch.rows.messages.empty());
  REQUIRE(batch.next_due_in);
  CHECK(*batch.next_due_in > seconds(3500));
  CHECK(*batch.next_due_in <= hours(1));
  CHECK(shelf.keys().next_due_in > seconds(3500));

  shelf.hold({{.key = "c", .state = retrying, .due_in = milliseconds(200)}});
  CHECK(shelf.keys().next_due_in <= milliseconds(200));
  CHECK(eventually([&] { return shelf.due() == "3"; }));
  batch = shelf.read();
  CHECK(batch.next_due_in > seconds(3000));  // of the rest: this one is in the batch
  CHECK(shelf.keys().next_due_in == Duration::zero());
}

void check_promotion(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.key = "a", .state = blocked},
              {.key = "a", .state = blocked}});
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 blocked, 4 blocked");
  shelf.remove({{1, "a"}});
  CHECK(shelf.held() == "2 retrying, 3 blocked, 4 blocked");
  CHECK(shelf.keys().next_due_in == Duration::zero());
  shelf.remove({{2, "a"}});
  CHECK(shelf.held() == "3 retrying, 4 blocked");
  shelf.remove({{3, "a"}});
  CHECK(shelf.held() == "4 retrying");
  CHECK(shelf.due() == "4");
  shelf.remove({{4, "a"}});
  CHECK(shelf.held().empty());
  CHECK(shelf.keys().blocked.empty());
  CHECK(shelf.keys().rows_total == 0);
}

void check_scheduled(StoreFixture& fixture) {
  // it has left its key's order, and comes back to its place when it is due
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = hours(1)},
              {.key = "a", .state = scheduled, .due_in = -seconds(2)},
              {.key = "b", .state = scheduled, .due_in = -seconds(2)},
              {.key = "b", .state = retrying, .due_in = -seconds(1)}});
  CHECK(shelf.held() == "1 retrying, 2 scheduled, 3 scheduled, 4 retrying");
  CHECK(shelf.due() == "3 4");
  CHECK_FALSE(shelf.read().facts[0].blocks);
  CHECK(shelf.read().facts[1].blocks);
  Hold failed = Shelf::hold_of(3, "b", retrying);
  failed.blocks = false;
  shelf.change(failed);
  shelf.remove({{4, "b"}});
  CHECK(shelf.held() == "1 retrying, 2 scheduled, 3 retrying");
  CHECK(shelf.keys().blocked == std::vector<std::string>{"a"});
  CHECK(shelf.due() == "3");
  shelf.remove({{1, "a"}});
  CHECK(shelf.due() == "2 3");
}

void check_topics(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a"}, {}, {}, {}, {.key = "a"}, {.key = "d"}});
  const auto waits = [](std::int64_t seq, std::optional<std::string> key, std::string topic) {
    Hold hold = Shelf::hold_of(seq, std::move(key), retrying);
    hold.due_in = hours(1);
    hold.topic = std::move(topic);
    return hold;
  };
  Hold behind = Shelf::hold_of(5, "a", blocked), dead_one = waits(6, "d", "orders/1");
  dead_one.state = dead;
  shelf.settle({{waits(1, "a", "orders/1"), waits(2, {}, "orders/1"), waits(3, {}, "orders/2"),
                 waits(4, {}, ""), behind, dead_one},
                {},
                {}});
  CHECK(shelf.due().empty());
  HeldWrites mended;
  mended.mended = {"orders/3", "orders/1"};
  shelf.settle(mended);
  CHECK(shelf.due() == "1 5 2");
}

}  // namespace

void store_due_suite(StoreFixture& fixture) {
  SUBCASE("held rows come longest due first, each followed by what waits behind it") {
    check_order(fixture);
  }
  SUBCASE("a row whose time is to come is not read, and how long that is, is told") {
    check_due(fixture);
  }
  SUBCASE("whoever takes the first row of a key away lets the next one go") {
    check_promotion(fixture);
  }
  SUBCASE("a scheduled row blocks nobody, and waits when it is due for those before it") {
    check_scheduled(fixture);
  }
  SUBCASE("rows that wait for a topic are due once it is mended, and no others") {
    check_topics(fixture);
  }
}

}  // namespace outbox::test
