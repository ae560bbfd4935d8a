// After a restore: transaction numbers of another cluster, and who decides what they mean.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

constexpr MarkPlace from_oldest{MarkPlace::Kind::oldest, 0, ""};
constexpr MarkPlace from_now{MarkPlace::Kind::now, 0, ""};

std::vector<ServiceRow> numbered(int from, int to) {
  std::vector<ServiceRow> rows;
  for (int i = from; i < to; ++i) rows.push_back({.key = "k", .payload = std::to_string(i)});
  return rows;
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> texts;
  for (int i = from; i < to; ++i) texts.push_back(std::to_string(i));
  return texts;
}

void check_refused(StoreFixture& fixture) {
  const auto acquired = fixture.store()->acquire(request_of("relay-1"));
  REQUIRE_FALSE(acquired);
  CHECK(acquired.error().fault == Fault::misconfigured);
  for (const char* word : {"route orders", "another PostgreSQL cluster", "outboxd mark rebase --from oldest"})
    CHECK_MESSAGE(acquired.error().text.find(word) != std::string::npos, acquired.error().text);
  const auto findings = fixture.admin()->check();
  REQUIRE(findings);
  CHECK(std::ranges::any_of(*findings, [](const Finding& finding) {
    return finding.level == Finding::Level::fault && finding.what.find("route orders") != std::string::npos &&
           finding.fix.find("outboxd mark rebase") != std::string::npos;
  }));
}

/// Rows of which three are sent, as a dump of another cluster that is far ahead would bring them.
void restore_by_hand(PostgresqlFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "k"}, {.key = "k"}, {.key = "k"}});
  fixture.execute("DELETE FROM outbox");
  fixture.execute("ALTER TABLE outbox ALTER COLUMN seq RESTART");
  fixture.writer()->commit_rows(numbered(1, 8));
  fixture.execute(
      "UPDATE outbox_mark SET system_identifier = 1, seen = '3000000000:3000000000:', owner = ''; " +
      untriggered("UPDATE outbox SET tx = (4000000000 - seq * 1000)::text::xid8 WHERE seq > 3; "
                  "UPDATE outbox SET tx = '100' WHERE seq = 3"));
}

TEST_CASE("PostgreSQL: after a restore a route goes on only when an operator has said from where") {
  PostgresqlFixture fixture;
  restore_by_hand(fixture);
  check_refused(fixture);
  const auto admin = fixture.admin();
  const auto dry = admin->rebase(std::nullopt, from_oldest, true, "tester");
  REQUIRE_MESSAGE(dry, dry.error().text);
  CHECK(dry->matched == 7);
  check_refused(fixture);
  SUBCASE("from the oldest") {
    REQUIRE(admin->rebase(std::nullopt, from_oldest, false, "tester"));
    Holder holder = holder_of(fixture);
    CHECK(read_all(holder) == numbers(1, 8));  // by seq, whatever their transactions were
    fixture.writer()->commit_rows(numbered(8, 10));
    CHECK(read_all(holder) == numbers(8, 10));
    REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
    CHECK(fixture.admin()->backlog("orders")->pending == 0);
    CHECK(fixture.admin()->remove_sent({Duration::zero(), std::nullopt, 100})->rows == 9);
  }
  SUBCASE("from a row") {
    REQUIRE(admin->rebase("orders", {MarkPlace::Kind::seq, 5, ""}, false, "tester"));
    Holder holder = holder_of(fixture);
    CHECK(read_all(holder) == numbers(5, 8));
    fixture.writer()->commit_rows(numbered(8, 9));
    CHECK(read_all(holder) == numbers(8, 9));
  }
  SUBCASE("from now") {
    REQUIRE(admin->rebase("orders", from_now, false, "tester"));
    Holder holder = holder_of(fixture);
    CHECK(read_all(holder).empty());
    fixture.writer()->commit_rows(numbered(8, 9));
    CHECK(read_all(holder) == numbers(8, 9));
  }
  CHECK(Sql(fixture.url).run("SELECT action || ' ' || actor FROM outbox_audit") == "rebase tester");
}

TEST_CASE("PostgreSQL: a role that may not date rows back is told what their owner must run") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  restore_by_hand(fixture);
  grant_roles(fixture.url, "test_rebase", "test_rebase");
  const auto admin = PostgresqlFixture::admin_at(as_role(fixture.url, "test_rebase"));
  const auto refused = admin->rebase(std::nullopt, from_oldest, false, "tester");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().fault == Fault::misconfigured);
  const std::size_t at = refused.error().text.find("UPDATE ");
  REQUIRE(at != std::string::npos);
  check_refused(fixture);
  sql.run(refused.error().text.substr(at));
  const auto done = admin->rebase(std::nullopt, from_oldest, false, "tester");
  REQUIRE_MESSAGE(done, done.error().text);
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder) == numbers(1, 8));
}

TEST_CASE("PostgreSQL: a dump that is restored into another cluster loses nothing and goes on in order") {
  PostgresqlFixture fixture;
  {
    const Sql sql(fixture.url);
    // ahead of the other cluster by many transactions
    for (int i = 0; i < 3000; ++i) sql.run("SELECT pg_current_xact_id()");
    const auto writer = fixture.writer();
    for (int i = 1; i < 6; ++i) writer->commit_rows(numbered(i, i + 1));
    Holder holder = holder_of(fixture);
    const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
    REQUIRE(batch);
    REQUIRE(holder.store->settle(holder.lease, {batch->cursor, 3},
                                 {{Shelf::hold_of(2, "k", HeldState::dead)}, {}, {}}));
  }
  const TempDir directory;
  const std::string file = directory / "dump.sql";
  REQUIRE(std::system(("pg_dump --no-owner '" + fixture.url + "' > '" + file + "'").c_str()) == 0);
  PostgresqlServer other;
  PostgresqlFixture restored(other, false);
  other.run_file(restored.url, file, {});
  restored.writer()->commit_rows(numbered(6, 7));
  check_refused(restored);
  REQUIRE(restored.admin()->rebase(std::nullopt, {MarkPlace::Kind::seq, 4, ""}, false, "tester"));
  CHECK(held_text(restored) == "2 dead");
  Holder holder = holder_of(restored, "relay-2");
  CHECK(read_all(holder) == numbers(4, 7));
  restored.writer()->commit_rows(numbered(7, 8));
  CHECK(read_all(holder) == numbers(7, 8));
}

}  // namespace
}  // namespace outbox::test
