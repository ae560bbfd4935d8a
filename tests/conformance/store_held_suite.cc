#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "tests/conformance/held_rows.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using enum HeldState;

void check_columns(StoreFixture& fixture) {
  fixture.writer()->commit_rows({{.topic = "заказы",
                                  .key = "ключ \"'\\",
                                  .type = "made",
                                  .payload = std::string("\0\xff", 2),
                                  .content_type = "text/plain",
                                  .headers = R"({"tenant": "7"})"},
                                 {.headers = "[1]"}});
  Shelf shelf(fixture);
  const auto read = shelf.holder.store->read(shelf.holder.mark, {10, 1u << 20});
  REQUIRE(read);
  REQUIRE(read->messages.size() == 2);
  shelf.holder.mark = read->end;
  std::vector<Hold> holds = {hold_of(read->messages[0], retrying), hold_of(read->messages[1], retrying)};
  holds[0].due_in = -seconds(1);
  shelf.settle({holds, {}, {}});
  const HeldBatch batch = shelf.read();
  REQUIRE(seqs_text(batch.rows) == "1 2");
  const Message &first = batch.rows.messages[0], &before = read->messages[0];
  CHECK(first.id == before.id);
  CHECK(first.topic == before.topic);
  CHECK(first.key == before.key);
  CHECK(first.type == before.type);
  CHECK(first.payload == before.payload);
  CHECK(first.content_type == before.content_type);
  CHECK(first.created_at == before.created_at);
  CHECK(first.defect == "");
  REQUIRE(first.headers.size() == 1);
  CHECK(first.headers[0].value == "7");
  CHECK(batch.rows.messages[1].defect != "");
}

void check_removed_together(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.key = "a", .state = blocked},
              {.key = "b", .state = retrying}});
  shelf.settle({{}, {Shelf::hold_of(3, "a", blocked)}, {{1, "a"}, {2, "a"}, {4, "b"}}});
  CHECK(shelf.held() == "3 retrying");
}

void check_dead(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.key = "b", .state = retrying},
              {.key = "b", .state = blocked}});
  shelf.change(Shelf::hold_of(1, "a", dead));
  CHECK(shelf.held() == "1 dead, 2 retrying, 3 retrying, 4 blocked");
  Hold stops = Shelf::hold_of(3, "b", dead);
  stops.blocks = true;
  shelf.change(stops);
  CHECK(shelf.held() == "1 dead, 2 retrying, 3 dead, 4 blocked");
  CHECK(shelf.due() == "2");
  // read anew, a dead letter in the middle stops what is behind it only if it blocks
  shelf.hold({{.key = "c", .state = retrying, .due_in = -seconds(9)},
              {.key = "c", .state = dead},
              {.key = "c", .state = blocked},
              {.key = "c", .state = dead, .blocks = true},
              {.key = "c", .state = blocked}});
  CHECK(shelf.due() == "5 7 2");
}

void check_changes(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .last_error = "first"}, {.key = "a", .state = blocked}});
  const HeldEntry before = shelf.entry(1);
  CHECK(before.last_error == "first");
  CHECK(before.attempts == 1);
  CHECK(before.held_at != "");
  CHECK(before.first_failed_at != "");
  CHECK(before.next_attempt_at != "");
  Hold again = Shelf::hold_of(1, "a", retrying);
  again.due_in = hours(1);
  shelf.change(again);
  const HeldEntry after = shelf.entry(1);
  CHECK(after.attempts == 2);
  CHECK(after.last_error == "turned away again");
  CHECK(after.first_failed_at == before.first_failed_at);
  CHECK(after.last_failed_at >= before.last_failed_at);
  CHECK(after.held_at == before.held_at);
  CHECK(shelf.held() == "1 retrying, 2 blocked");
  CHECK(shelf.due().empty());
}

void check_removed_by_an_operator(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}});
  HeldFilter filter;
  filter.seqs = {1};
  REQUIRE(fixture.admin()->change_held(HeldAction::discard, filter, 10, false, "tester"));
  CHECK(shelf.held() == "2 retrying");
  shelf.change(Shelf::hold_of(1, "a", retrying));
  CHECK(shelf.held() == "2 retrying");
  shelf.remove({{1, "a"}});
  CHECK(shelf.held() == "2 retrying");
}

void check_hold_without_head(StoreFixture& fixture) {
  // what the relay took for the head was discarded: the follower must not wait for ever
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = blocked}, {.key = "a", .state = blocked}});
  CHECK(shelf.held() == "1 retrying, 2 blocked");
  CHECK(shelf.due() == "1 2");
}

void check_fenced(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}});
  const std::string before = shelf.held();
  fixture.writer()->commit_rows({{.key = "a"}});
  const auto batch = shelf.holder.store->read(shelf.holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  const Holder other = holder_of(fixture, "relay-1");
  const auto settled = shelf.holder.store->settle(
      shelf.holder.lease, batch->end,
      {{hold_of(batch->messages[0], blocked)}, {Shelf::hold_of(2, "a", dead)}, {{1, "a"}}});
  REQUIRE_FALSE(settled);
  CHECK(settled.error().fault == Fault::fenced);
  CHECK(shelf.held() == before);
  CHECK(fixture.admin()->backlog("orders")->pending == 1);
  // the session lives on
  CHECK(shelf.holder.store->held_keys(other.lease));
}

void check_keys(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = hours(1)},
              {.key = "a", .state = blocked},
              {.key = "b", .state = dead},
              {.key = "c", .state = dead, .blocks = true},
              {.state = retrying, .due_in = hours(2)},
              {.key = "d", .state = unrouted},
              {.key = "", .state = scheduled, .due_in = hours(3)}});
  const HeldKeys keys = shelf.keys();
  CHECK(keys.rows_total == 7);
  CHECK(keys.rows_unrouted == 1);
  CHECK(keys.next_due_in > seconds(3500));
  CHECK(keys.next_due_in <= hours(1));
  CHECK(std::set<std::string>(keys.blocked.begin(), keys.blocked.end()) == std::set<std::string>{"a", "c"});
  CHECK(keys.blocked.size() == 2);
}

void check_freed(StoreFixture& fixture) {
  using Keys = std::vector<std::string>;
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying},
              {.key = "a", .state = blocked},
              {.key = "b", .state = retrying},
              {.key = "c", .state = retrying},
              {.key = "d", .state = retrying},
              {.state = retrying}});
  CHECK(shelf.remove({{1, "a"}, {3, "b"}, {6, std::nullopt}}) == Keys{"b"});
  Hold stops = Shelf::hold_of(5, "d", dead);
  stops.blocks = true;
  CHECK(shelf.settle({{}, {Shelf::hold_of(4, "c", dead), stops, Shelf::hold_of(2, "a", retrying)}, {}}) ==
        Keys{"c"});
  CHECK(shelf.settle({{}, {}, {}}).empty());
  // an operator was faster
  HeldFilter filter;
  filter.seqs = {2, 5};
  REQUIRE(fixture.admin()->change_held(HeldAction::discard, filter, 10, false, "tester"));
  CHECK(shelf.settle({{}, {Shelf::hold_of(2, "a", retrying)}, {{5, "d"}}}) == Keys{"a", "d"});
}

void check_without_key(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.state = retrying, .due_in = hours(1)},
              {.state = retrying},
              {.state = retrying, .due_in = -seconds(1)}});
  CHECK(shelf.due() == "3 2");
  shelf.change(Shelf::hold_of(2, std::nullopt, dead));
  shelf.remove({{3, std::nullopt}});
  CHECK(shelf.held() == "1 retrying, 2 dead");
}

void check_pages(StoreFixture& fixture) {
  Shelf shelf(fixture);
  std::vector<Wanted> rows(2000, {.key = "deep", .state = blocked, .attempts = 0});
  rows.front().state = retrying;
  shelf.hold(rows);
  std::int64_t expected = 1;
  while (expected <= 2000) {
    const HeldBatch batch = shelf.read({150, 1u << 24});
    REQUIRE(!batch.rows.messages.empty());
    CHECK(batch.rows.messages.size() <= 150);
    CHECK_FALSE(batch.more_keys);  // of one key only, so the log goes on meanwhile
    std::vector<HeldRow> accepted;
    for (const Message& message : batch.rows.messages) {
      CHECK(message.seq == expected++);
      accepted.push_back({message.seq, "deep"});
    }
    shelf.remove(accepted);
  }
  CHECK(shelf.read().rows.messages.empty());
  CHECK(shelf.held().empty());
}

void check_fair(StoreFixture& fixture) {
  Shelf shelf(fixture);
  std::vector<Wanted> rows(200, {.key = "deep", .state = blocked});
  rows.front() = {.key = "deep", .state = retrying, .due_in = -seconds(60)};
  for (int i = 0; i < 10; ++i) rows.push_back({.key = "key-" + std::to_string(i), .state = retrying});
  shelf.hold(rows);
  const HeldBatch batch = shelf.read({40, 1u << 24});
  std::set<std::string> keys;
  for (const Message& message : batch.rows.messages) keys.emplace(*message.key);
  CHECK(keys.size() == 11);
  CHECK(batch.rows.messages.size() > 11);
  CHECK(batch.rows.messages[0].seq == 1);
  CHECK(batch.rows.messages[1].seq == 2);
}

void check_limits(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.state = retrying, .due_in = -seconds(3)},
              {.state = retrying, .due_in = -seconds(2)},
              {.state = retrying, .due_in = -seconds(1)},
              {.state = retrying, .due_in = hours(1)}});
  HeldBatch batch = shelf.read({2, 1u << 24});
  CHECK(seqs_text(batch.rows) == "1 2");
  CHECK(batch.next_due_in == Duration::zero());
  CHECK_FALSE(batch.more_keys);  // without keys nothing waits behind them
  batch = shelf.read({3, 1u << 24});
  CHECK(seqs_text(batch.rows) == "1 2 3");
  CHECK_FALSE(batch.more_keys);
  CHECK(batch.next_due_in > seconds(3500));
  batch = shelf.read({3, 1});
  CHECK(seqs_text(batch.rows) == "1");
  CHECK(batch.next_due_in == Duration::zero());
}

void check_more_keys(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = -seconds(3)},
              {.key = "b", .state = retrying, .due_in = -seconds(2)},
              {.state = retrying, .due_in = -seconds(1)}});
  CHECK(shelf.read({1, 1u << 24}).more_keys);
  CHECK_FALSE(shelf.read({2, 1u << 24}).more_keys);
  CHECK_FALSE(shelf.read({3, 1u << 24}).more_keys);
}

void check_gone(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}});
  fixture.execute("DELETE FROM outbox WHERE seq = 1");
  const HeldBatch batch = shelf.read();
  REQUIRE(seqs_text(batch.rows) == "1 2");
  CHECK(batch.rows.messages[0].defect.find("no longer in the outbox") != std::string_view::npos);
  CHECK(batch.rows.messages[0].key == "a");
  CHECK(batch.rows.messages[1].defect == "");
  CHECK(shelf.entry(1).topic == "");
  CHECK(shelf.held() == "1 retrying, 2 blocked");
}

void check_error_texts(StoreFixture& fixture) {
  Shelf shelf(fixture);
  std::string wide;
  for (int i = 0; i < 3000; ++i) wide += "ж";
  const std::string texts[] = {std::string("a\0b", 3),
                               "\xff\xfe turned \"away\" \\ {back}, NULL",
                               std::string(100'000, 'x'),
                               wide,
                               "NULL",
                               ""};
  std::vector<Wanted> rows;
  for (const std::string& text : texts) rows.push_back({.state = dead, .last_error = text});
  shelf.hold(rows);
  for (std::int64_t seq = 1; seq <= static_cast<std::int64_t>(rows.size()); ++seq) {
    const std::string stored = shelf.entry(seq).last_error;
    CHECK(is_utf8(stored));
    CHECK(stored.find('\0') == std::string::npos);
    CHECK(std::ranges::count_if(stored, [](char c) { return (c & 0xC0) != 0x80; }) <= 2000);
  }
  CHECK(shelf.entry(2).last_error.find(" turned \"away\" \\ {back}, NULL") != std::string::npos);
  CHECK(shelf.entry(3).last_error.size() >= 1900);
  CHECK(shelf.entry(5).last_error == "NULL");
  CHECK(shelf.entry(6).last_error == "");
}

void check_long_keys(StoreFixture& fixture) {
  Shelf shelf(fixture);
  std::string key;
  for (int i = 0; key.size() < 20'000; ++i) key += std::to_string(i * 7919);
  shelf.hold({{.key = key, .state = retrying},
              {.key = key, .state = blocked},
              {.key = key + "1", .state = retrying}});
  CHECK(shelf.keys().blocked.size() == 2);
  shelf.remove({{1, key}});
  CHECK(shelf.held() == "2 retrying, 3 retrying");
}

void check_held_again(StoreFixture& fixture) {
  Shelf shelf(fixture);
  const Mark before = shelf.holder.mark;
  shelf.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}});
  shelf.holder.mark = before;  // read once more, as after a mark was put back
  const auto batch = shelf.holder.store->read(before, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 2);
  shelf.holder.mark = batch->end;
  Hold first = hold_of(batch->messages[0], retrying), second = hold_of(batch->messages[1], blocked);
  first.attempts = 5;
  shelf.settle({{first, second}, {}, {}});
  CHECK(shelf.held() == "1 retrying, 2 blocked");
  CHECK(shelf.entry(1).attempts == 5);
}

void check_sessions(StoreFixture& fixture) {
  {
    Shelf shelf(fixture);
    shelf.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}});
    REQUIRE(shelf.holder.store->release(shelf.holder.lease));
  }
  const Shelf next(fixture, request_of("relay-2"));
  CHECK(next.due() == "1 2");
  CHECK(next.keys().blocked.size() == 1);
  LeaseRequest other = request_of("relay-2");
  other.route = "audit";
  const Shelf stranger(fixture, other);
  CHECK(stranger.due().empty());
  CHECK(stranger.keys().rows_total == 0);
}

}  // namespace

void store_held_suite(StoreFixture& fixture) {
  SUBCASE("a held row comes as it was written") {
    check_columns(fixture);
  }
  SUBCASE("a settle may remove several rows of a key and change those behind") {
    check_removed_together(fixture);
  }
  SUBCASE("a dead letter lets its key go on, unless it blocks") {
    check_dead(fixture);
  }
  SUBCASE("one more attempt changes what is held and keeps since when") {
    check_changes(fixture);
  }
  SUBCASE("what an operator removed stays removed") {
    check_removed_by_an_operator(fixture);
  }
  SUBCASE("a row that is held behind nobody is due") {
    check_hold_without_head(fixture);
  }
  SUBCASE("a fenced settle changes nothing of what is held") {
    check_fenced(fixture);
  }
  SUBCASE("the keys that wait are counted") {
    check_keys(fixture);
  }
  SUBCASE("a settle tells which keys nobody blocks any more") {
    check_freed(fixture);
  }
  SUBCASE("rows without a key wait for nobody") {
    check_without_key(fixture);
  }
  SUBCASE("two thousand rows behind one key are read in pages, in order") {
    check_pages(fixture);
  }
  SUBCASE("a deep key leaves room for the others that are due") {
    check_fair(fixture);
  }
  SUBCASE("a limit is kept, and what is left is due at once") {
    check_limits(fixture);
  }
  SUBCASE("more keys that are due are told from more rows without one") {
    check_more_keys(fixture);
  }
  SUBCASE("a held row that is gone from the outbox has a defect that says so") {
    check_gone(fixture);
  }
  SUBCASE("a reason of any bytes and length is stored as text") {
    check_error_texts(fixture);
  }
  SUBCASE("rows of very long keys are held like others") {
    check_long_keys(fixture);
  }
  SUBCASE("a row that is held again is one row") {
    check_held_again(fixture);
  }
  SUBCASE("what is held outlives the session, and is its route's alone") {
    check_sessions(fixture);
  }
}

}  // namespace outbox::test
