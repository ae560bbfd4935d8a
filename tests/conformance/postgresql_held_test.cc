// What is held on PostgreSQL beyond the suites: transactions that overlap, rights, and the audit.
#include <doctest/doctest.h>

#include <thread>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using enum HeldState;

MarkPlace from_seq(std::int64_t seq) {
  return {MarkPlace::Kind::seq, seq, ""};
}

TEST_CASE("PostgreSQL: a row held behind one that is just being discarded does not wait for ever") {
  PostgresqlFixture fixture;
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = hours(1)}});
  const Sql discarding(fixture.url), watching(fixture.url);
  discarding.run(
      "BEGIN; SELECT 1 FROM outbox_mark ORDER BY route, shard FOR UPDATE; DELETE FROM outbox_held");
  std::thread relay([&] { shelf.hold({{.key = "a", .state = blocked}}); });
  const bool waits = eventually([&] {
    return watching.run(
               "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database OR "
               "l.database IS NULL WHERE NOT granted AND d.datname = current_database()") != "0";
  });
  discarding.run("COMMIT");
  relay.join();
  CHECK(waits);
  CHECK(shelf.held() == "2 retrying");
}

TEST_CASE("PostgreSQL: an operator's change of what is held waits for the settle that is under way") {
  PostgresqlFixture fixture;
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = hours(1)}});
  const Sql settling(fixture.url);
  settling.run(
      "BEGIN; UPDATE outbox_mark SET beat = beat + 1; INSERT INTO outbox_held (route, seq, message_key, "
      "state, blocks) "
      "VALUES ('orders', 2, 'a', 'blocked', true)");
  HeldFilter filter;
  filter.seqs = {1};
  Matched done;
  std::thread operating([&] {
    const auto result = fixture.admin()->change_held(HeldAction::discard, filter, 10, false, "tester");
    if (result) done = *result;
  });
  const Sql watching(fixture.url);
  const bool waits =
      eventually([&] { return watching.run("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; });
  settling.run("COMMIT");
  operating.join();
  CHECK(waits);
  CHECK(done.changed == 1);
  CHECK(shelf.held() == "2 retrying");
}

TEST_CASE("PostgreSQL: a replay loses no row of a transaction that commits late") {
  PostgresqlFixture fixture;
  const auto early = fixture.writer();
  early->begin();
  early->insert({.payload = "early"});
  fixture.writer()->commit_rows({{.payload = "second"}, {.payload = "third"}});
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder) == std::vector<std::string>{"second", "third"});
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  using Payloads = std::vector<std::string>;
  SUBCASE("before the replay") {
    early->commit();
    const auto done = fixture.admin()->replay("orders", from_seq(3), false, "tester");
    REQUIRE_MESSAGE(done, done.error().text);
    CHECK(done->matched == 3);
    holder = holder_of(fixture);
    CHECK(read_all(holder) == Payloads{"early", "second", "third"});
  }
  SUBCASE("after the replay") {
    REQUIRE(fixture.admin()->replay("orders", from_seq(3), false, "tester"));
    early->commit();
    holder = holder_of(fixture);
    CHECK(read_all(holder) == Payloads{"third", "early"});
  }
  SUBCASE("while the replayed rows are read") {
    REQUIRE(fixture.admin()->replay("orders", from_seq(2), false, "tester"));
    holder = holder_of(fixture);
    const auto batch = holder.store->read(holder.mark, {1, 1u << 20});
    REQUIRE(batch);
    early->commit();
    REQUIRE(holder.store->settle(holder.lease, batch->end, {}));
    holder = holder_of(fixture);
    CHECK(read_all(holder) == Payloads{"third", "early"});
  }
}

TEST_CASE("PostgreSQL: retention keeps a row of a transaction that commits late until it is sent") {
  PostgresqlFixture fixture;
  const auto early = fixture.writer();
  early->begin();
  early->insert({.payload = "early"});
  fixture.writer()->commit_rows({{.payload = "second"}});
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).size() == 1);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  early->commit();
  const auto admin = fixture.admin();
  CHECK(admin->remove_sent({Duration::zero(), std::nullopt, 100})->rows == 1);
  CHECK(read_all(holder) == std::vector<std::string>{"early"});
}

TEST_CASE(
    "PostgreSQL: retention removes what is long sent under an old snapshot, and no reader waits for it") {
  PostgresqlFixture fixture;
  Shelf shelf(fixture);
  shelf.hold(std::vector<Wanted>(50));
  const Sql old(fixture.url);
  old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox");
  CHECK(fixture.admin()->remove_sent({Duration::zero(), std::nullopt, 100})->rows == 50);
  CHECK(old.run("SELECT count(*) FROM outbox") == "50");
}

TEST_CASE("PostgreSQL: every change of an operator leaves its line, a dry run none") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Shelf shelf(fixture);
  shelf.hold({{.key = "it's", .state = dead}, {.state = dead}});
  const auto admin = fixture.admin();
  HeldFilter filter;
  filter.route = "orders";
  filter.key = "it's";
  REQUIRE(admin->change_held(HeldAction::requeue, filter, 5, true, "anna"));
  REQUIRE(admin->replay("orders", from_seq(1), true, "anna"));
  REQUIRE(admin->rebase("orders", from_seq(1), true, "anna"));
  CHECK(sql.run("SELECT count(*) FROM outbox_audit") == "0");
  REQUIRE(admin->change_held(HeldAction::requeue, filter, 5, false, "anna"));
  REQUIRE(admin->change_held(HeldAction::discard, {}, 5, false, "bert"));
  REQUIRE(admin->set_paused("orders", true, "bert"));
  REQUIRE(admin->set_paused("orders", false, "bert"));
  REQUIRE(admin->replay("orders", from_seq(2), false, "anna"));
  REQUIRE(admin->rebase(std::nullopt, {MarkPlace::Kind::now, 0, ""}, false, "anna"));
  CHECK(sql.run("SELECT string_agg(concat_ws(' ', actor, action, route, details), '; ' ORDER BY seq) FROM "
                "outbox_audit") ==
        "anna requeue orders {\"key\": \"it's\", \"changed\": 1, \"matched\": 1}; "
        "bert discard {\"changed\": 2, \"matched\": 2}; bert pause orders {}; bert resume orders {}; "
        "anna replay orders {\"seq\": 2, \"from\": \"seq\", \"rows\": 1}; anna rebase {\"from\": \"now\", "
        "\"rows\": 0}");
}

TEST_CASE("PostgreSQL: the granted rights are enough for operators and upkeep") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_keeper", "test_keeper");
  const std::string url = as_role(fixture.url, "test_keeper");
  Shelf shelf(fixture);
  shelf.hold({{}, {.state = dead}, {.state = unrouted}});
  const auto admin = PostgresqlFixture::admin_at(url);
  CHECK(admin->join("relay-1"));
  CHECK(admin->routes());
  CHECK(admin->backlog("orders"));
  CHECK(admin->blocked_keys("orders", 10));
  CHECK(*admin->adopt("orders", {"*"}) == 1);
  CHECK(admin->remove_sent({Duration::zero(), Duration::zero(), 100})->rows == 2);
  CHECK(admin->leave("relay-1"));
  CHECK(admin->held({}, std::nullopt, 10)->size() == 1);
  CHECK(admin->message(std::nullopt, 3, true)->has_value());
  CHECK(admin->set_paused("orders", true, "tester"));
  CHECK(admin->change_held(HeldAction::requeue, {}, 10, false, "tester")->changed == 1);
  CHECK(admin->replay("orders", from_seq(1), false, "tester"));
  CHECK(admin->rebase("orders", {MarkPlace::Kind::now, 0, ""}, false, "tester"));
}

TEST_CASE("PostgreSQL: a mark that somebody has put back by hand keeps its rows") {
  PostgresqlFixture fixture;
  Shelf shelf(fixture);
  shelf.hold(std::vector<Wanted>(5));
  Holder audit = holder_of(fixture, request_of_route("audit"));
  settle_all(audit);
  const Retention kept{hours(1), std::nullopt, 100};
  CHECK(fixture.admin()->remove_sent(kept)->rows == 0);
  fixture.execute("UPDATE outbox_progress SET at = at - interval '2 hours'");
  fixture.execute("UPDATE outbox_mark SET seen = '1:1:' WHERE route = 'orders'");
  CHECK(fixture.admin()->remove_sent(kept)->rows == 0);
  settle_all(shelf.holder);
  CHECK(fixture.admin()->remove_sent(kept)->rows == 5);
}

TEST_CASE(
    "PostgreSQL: a clock that was put back lets rows stay longer, but not until it is that time again") {
  PostgresqlFixture fixture;
  Shelf shelf(fixture);
  shelf.hold(std::vector<Wanted>(5));
  const Retention kept{hours(1), std::nullopt, 100};
  CHECK(fixture.admin()->remove_sent(kept)->rows == 0);
  fixture.execute("UPDATE outbox_progress SET at = at + interval '10 hours'");
  CHECK(fixture.admin()->remove_sent(kept)->rows == 0);
  CHECK(Sql(fixture.url).run("SELECT count(*) FROM outbox_progress WHERE at <= now()") == "1");
  fixture.execute("UPDATE outbox_progress SET at = at - interval '2 hours'");
  CHECK(fixture.admin()->remove_sent(kept)->rows == 5);
  CHECK(Sql(fixture.url).run("SELECT count(*) FROM outbox_progress") == "1");
}

TEST_CASE("PostgreSQL: a member that was not seen for a day is forgotten") {
  PostgresqlFixture fixture;
  const auto admin = fixture.admin();
  REQUIRE(admin->join("relay-1"));
  REQUIRE(admin->join("relay-2"));
  fixture.execute("UPDATE outbox_relay SET seen_at = now() - interval '25 hours' WHERE owner = 'relay-1'");
  const auto members = admin->join("relay-2");
  REQUIRE(members);
  CHECK(members->size() == 1);
}

}  // namespace
}  // namespace outbox::test
