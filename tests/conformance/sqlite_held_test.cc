// What is held in the relay's own file: deep queues, and clocks that are put back.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;
using enum HeldState;

void change_state(const SqliteFixture& outbox, const std::string& sql) {
  auto state = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, 1s));
  must(state.execute(sql, "test"));
}

/// Holds every row that is there, as it says; all but the last are behind the mark then.
Granted hold_all(Store& store, HeldState state, Duration due_in) {
  const Granted grant = granted(store);
  const Batch batch = must(store.read({}, plenty));
  HeldWrites writes;
  for (const Message& message : batch.messages) {
    Hold& hold = writes.holds.emplace_back(hold_of(message, state));
    hold.due_in = due_in;
    hold.attempts = 1;
  }
  must(store.settle(grant.lease, batch.end, writes));
  return grant;
}

TEST_CASE("a hundred thousand rows behind one key cost its head nothing") {
  SqliteFixture outbox;
  outbox.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO outbox "
      "(topic, message_key, payload) SELECT 't', 'poisoned', '' FROM n");
  auto store = outbox.store();
  const Granted grant = granted(*store);
  const Batch batch = must(store->read({}, plenty));
  HeldWrites writes;
  for (const Message& message : batch.messages)
    writes.holds.push_back(hold_of(message, message.seq == 1 ? retrying : blocked));
  must(store->settle(grant.lease, batch.end, writes));

  Hold head = hold_of(batch.messages.front(), retrying);
  head.due_in = 0s;
  const auto begin = std::chrono::steady_clock::now();
  constexpr int rounds = 100;
  for (int round = 0; round < rounds; ++round) {
    head.attempts = round;
    must(store->settle(grant.lease, batch.end, {{}, {head}, {}}));
    const HeldBatch due = must(store->read_held(grant.lease, {10, 1 << 20}));
    CHECK(due.rows.messages.size() == 10);
    CHECK(due.facts.front().attempts == round);
  }
  const Duration spent = std::chrono::steady_clock::now() - begin;
  MESSAGE("settle and read_held: ",
          std::chrono::duration_cast<std::chrono::microseconds>(spent).count() / rounds, " us");
  CHECK(spent < 4s);  // one look at each of them would take ten times as long
  CHECK(must(store->held_keys(grant.lease)).blocked == std::vector<std::string>{"poisoned"});
}

TEST_CASE("a requeued row goes before the one that had its turn") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'k', ''), ('t', 'k', ''), ('t', 'k', "
      "'')");
  auto store = outbox.store();
  const Granted grant = granted(*store);
  const Batch batch = must(store->read({}, plenty));
  must(store->settle(grant.lease, batch.end,
                     {{hold_of(batch.messages[0], dead), hold_of(batch.messages[1], retrying),
                       hold_of(batch.messages[2], blocked)},
                      {},
                      {}}));
  CHECK(seqs_of(must(store->read_held(grant.lease, plenty)).rows) == std::vector<std::int64_t>{2, 3});
  HeldFilter filter;
  filter.seqs = {1};
  must(outbox.admin()->change_held(HeldAction::requeue, filter, 10, false, "tester"));
  CHECK(seqs_of(must(store->read_held(grant.lease, plenty)).rows) == std::vector<std::int64_t>{1, 2, 3});
  CHECK(seqs_of(must(store->read_held(grant.lease, {1, 1 << 20})).rows) == std::vector<std::int64_t>{1});
}

TEST_CASE("a clock that was put back keeps no row waiting that waits for a back-off") {
  SqliteFixture outbox;
  outbox.insert(2);
  auto store = outbox.store();
  const Granted grant = hold_all(*store, retrying, 1h);
  CHECK(must(store->read_held(grant.lease, plenty)).rows.messages.empty());
  // as if the hold had been written while the clock was a day ahead
  change_state(outbox,
               "UPDATE outbox_held SET timed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 day'), "
               "next_attempt_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+25 hours') WHERE seq = 1");
  CHECK(must(store->held_keys(grant.lease)).next_due_in == Duration::zero());
  const HeldBatch due = must(store->read_held(grant.lease, plenty));
  CHECK(seqs_of(due.rows) == std::vector<std::int64_t>{1});
  REQUIRE(due.next_due_in);
  CHECK(*due.next_due_in > 59min);  // the other one's
  CHECK(*due.next_due_in <= 1h);
}

TEST_CASE("a clock that was put back lets no row go before its own date") {
  SqliteFixture outbox;
  outbox.insert(1);
  auto store = outbox.store();
  const Granted grant = hold_all(*store, scheduled, 1h);
  change_state(outbox, "UPDATE outbox_held SET timed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 day')");
  CHECK(must(store->read_held(grant.lease, plenty)).rows.messages.empty());
  CHECK(must(store->held_keys(grant.lease)).next_due_in > 59min);
}

TEST_CASE("what was held of a database that has been replaced is forgotten with its mark") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  hold_all(*store, retrying, 0s);
  outbox.execute("UPDATE outbox SET id = 'ffffffff-ffff-4fff-8fff-ffffffffffff' WHERE seq = 3");
  const Granted again = granted(*store);
  CHECK(again.mark.seq == 0);
  CHECK(must(store->held_keys(again.lease)).rows_total == 0);
}

TEST_CASE("before a relay has run nothing is held, and a message can be shown all the same") {
  SqliteFixture outbox;
  outbox.insert(1);
  auto admin = outbox.admin();
  CHECK(must(admin->held({}, std::nullopt, 10)).empty());
  CHECK(must(admin->change_held(HeldAction::discard, {}, 10, false, "tester")).matched == 0);
  CHECK(must(admin->message(std::nullopt, 1, false)).has_value());
  CHECK(admin->replay("main", {}, false, "tester").error().fault == Fault::refused);
  CHECK(must(outbox.admin()->blocked_keys("main", 10)).empty());
  CHECK_FALSE(must(outbox.admin()->remove_sent({})).more);
}

TEST_CASE("an id that is stored as sixteen bytes is found and shown as it is published") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (id, topic, payload) VALUES (x'0123456789abcdef0123456789abcdef', 't', 'a'), "
      "('01234567-89AB-CDEF-0123-456789ABCDE0', 't', 'b')");
  auto admin = outbox.admin();
  for (const std::string id :
       {"01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcde0"}) {
    const auto found = must(admin->message(id, std::nullopt, false));
    REQUIRE(found.has_value());
    CHECK(found->id == id);
  }
}

TEST_CASE("what operators do leaves a line that says who, what and how much") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  hold_all(*store, dead, 0s);
  HeldFilter filter;
  filter.route = "main";
  filter.topic = "t";
  filter.seqs = {1, 2};
  auto admin = outbox.admin();
  must(admin->change_held(HeldAction::requeue, filter, 10, true, "anna"));
  must(admin->change_held(HeldAction::requeue, filter, 10, false, "anna"));
  must(admin->replay("main", {MarkPlace::Kind::seq, 2, ""}, false, "bert"));
  auto state = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, 1s));
  auto lines = must(state.prepare(
      "SELECT group_concat(actor || ' ' || action || ' ' || route || ' ' || details, char(10)) FROM "
      "outbox_audit",
      "test"));
  REQUIRE(lines.step() == SQLITE_ROW);
  CHECK(lines.text(0) == R"(anna requeue main {"seqs": [1, 2], "topic": "t", "matched": 2, "changed": 2})"
                         "\n"
                         R"(bert replay main {"from": "seq", "seq": 2, "rows": 2})");
}

}  // namespace
}  // namespace outbox::test
