// What PostgreSQL's store does beyond the suite: servers that go away, servers and tables that are not as
// they must be.
#include <doctest/doctest.h>

#include <thread>

#include "adapters/stores/postgresql/tables.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::seconds;

Error acquire_error(Store& store) {
  const auto acquired = store.acquire(request_of("relay-1"));
  REQUIRE_FALSE(acquired);
  return acquired.error();
}

void check_misconfigured(const std::string& url, std::initializer_list<const char*> words) {
  const Error error = acquire_error(*PostgresqlFixture::store_at(url));
  CHECK(error.fault == Fault::misconfigured);
  for (const char* word : words) CHECK_MESSAGE(error.text.find(word) != std::string::npos, error.text);
}

void check_session_over(Holder& holder) {
  const auto unavailable = [](const auto& result) {
    return !result && result.error().fault == Fault::unavailable;
  };
  CHECK(unavailable(holder.store->read(holder.mark, {10, 1000})));
  CHECK(unavailable(holder.store->settle(holder.lease, holder.mark, {})));
  CHECK(unavailable(holder.store->renew(holder.lease)));
  CHECK(unavailable(holder.store->wait(seconds(20))));
  CHECK(unavailable(holder.store->release(holder.lease)));
}

std::vector<ServiceRow> many_rows(int count) {
  std::vector<ServiceRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back({.payload = std::to_string(i)});
  return rows;
}

TEST_CASE("PostgreSQL") {
  PostgresqlFixture fixture;
  store_suite(fixture);
}

TEST_CASE("PostgreSQL: what is held") {
  PostgresqlFixture fixture;
  store_held_suite(fixture);
}

TEST_CASE("PostgreSQL: what is due") {
  PostgresqlFixture fixture;
  store_due_suite(fixture);
}

TEST_CASE("PostgreSQL: shards") {
  PostgresqlFixture fixture;
  store_shard_suite(fixture);
}

TEST_CASE("PostgreSQL: operators") {
  PostgresqlFixture fixture;
  operator_suite(fixture);
}

TEST_CASE("PostgreSQL: upkeep") {
  PostgresqlFixture fixture;
  upkeep_suite(fixture);
}

TEST_CASE("PostgreSQL: rows that no route takes") {
  PostgresqlFixture fixture;
  unrouted_suite(fixture);
}

TEST_CASE("PostgreSQL: a crash of the server ends the session, and a new one goes on from the saved mark") {
  PostgresqlServer server({.fsync = true, .settings = {}});
  PostgresqlFixture fixture(server);
  fixture.writer()->commit_rows(many_rows(30));
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {20, 1u << 20});
  REQUIRE(batch);
  REQUIRE(holder.store->settle(holder.lease, {batch->cursor, batch->messages[9].seq}, {}));

  server.crash();
  check_session_over(holder);
  CHECK(acquire_error(*holder.store).fault == Fault::unavailable);
  server.start();
  check_session_over(holder);  // the server is there again, what was in memory is not
  const auto acquired = holder.store->acquire(request_of("relay-1"));
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  holder.mark = std::get<Granted>(*acquired).mark;
  CHECK(holder.mark.seq == batch->messages[9].seq);
  const auto rest = read_all(holder);
  CHECK(rest.size() == 20);
  CHECK(rest.front() == "10");

  server.stop();
  server.start();
  CHECK(holder.store->acquire(request_of("relay-1")));  // without anybody having noticed in between
}

TEST_CASE("PostgreSQL: a wait ends when the server goes away") {
  PostgresqlServer server;
  PostgresqlFixture fixture(server);
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
  std::thread operations([&] { server.stop(); });
  const auto woken = holder.store->wait(seconds(30));
  operations.join();
  REQUIRE_FALSE(woken);
  CHECK(woken.error().fault == Fault::unavailable);
}

TEST_CASE("PostgreSQL: a standby is refused") {
  PostgresqlServer server;
  PostgresqlFixture fixture(server);
  server.stop();
  server.start_as_standby();
  check_misconfigured(fixture.url, {"standby", "target_session_attrs=read-write"});
}

TEST_CASE("PostgreSQL: a read-only database is refused, an old server as well") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  sql.run("ALTER DATABASE " + sql.run("SELECT current_database()") +
          " SET default_transaction_read_only = on");
  check_misconfigured(fixture.url, {"read-only", "default_transaction_read_only"});
  const auto findings = postgresql::check_server(120022, {});
  CHECK(findings.front().level == Finding::Level::fault);
  CHECK(findings.front().what.find("PostgreSQL 12.22") != std::string::npos);
  CHECK(findings.front().fix == "use PostgreSQL 13 or later");
}

TEST_CASE("PostgreSQL: what is missing is named, with the fix") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  SUBCASE("no table at all") {
    sql.run("DROP TABLE outbox CASCADE");
    check_misconfigured(fixture.url, {"outbox", "does not exist", "run: outboxd migrate up"});
  }
  SUBCASE("a table of the relay's own") {
    sql.run("DROP TABLE outbox_held CASCADE");
    check_misconfigured(fixture.url, {"outbox_held", "does not exist", "run: outboxd migrate up"});
  }
  SUBCASE("a column") {
    sql.run("ALTER TABLE outbox DROP COLUMN deliver_at CASCADE");
    check_misconfigured(fixture.url, {"outbox.deliver_at", "missing", "run: outboxd migrate up"});
  }
  SUBCASE("a type") {
    sql.run("ALTER TABLE outbox ALTER COLUMN headers DROP DEFAULT, ALTER COLUMN headers TYPE text");
    check_misconfigured(fixture.url, {"outbox.headers is text, must be jsonb", "ALTER TABLE"});
  }
  SUBCASE("the index") {
    sql.run("DROP INDEX outbox_tx_seq");
    check_misconfigured(fixture.url, {"no index on (tx, seq)", "CREATE INDEX CONCURRENTLY"});
  }
  SUBCASE("a database") {
    check_misconfigured(fixture.url + "_not", {"does not exist"});
  }
  SUBCASE("a text column of limited length is no fault") {
    sql.run("DROP VIEW outbox_status; ALTER TABLE outbox ALTER COLUMN topic TYPE varchar(100)");
    fixture.writer()->commit_rows({{.topic = "short"}});
    Holder holder = holder_of(fixture);
    CHECK(read_all(holder).size() == 1);
  }
}

TEST_CASE("PostgreSQL: a database's own defaults change nothing") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  const std::string alter = "ALTER DATABASE " + sql.run("SELECT current_database()") + " SET ";
  for (const char* setting :
       {"default_transaction_isolation = 'serializable'", "bytea_output = 'escape'", "DateStyle = 'German'",
        "TimeZone = 'Asia/Kolkata'", "client_encoding = 'LATIN1'", "standard_conforming_strings = off",
        "enable_indexscan = off"})
    sql.run(alter + setting);
  const auto writer = fixture.writer();
  Holder holder = holder_of(fixture);
  for (int i = 0; i < 3; ++i) {
    sql.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'ключ', '\\x00ff')");
    const auto batch = holder.store->read(holder.mark, {10, 1000});
    REQUIRE(batch);
    REQUIRE(batch->messages.size() == 1);
    CHECK(batch->messages[0].key == "ключ");
    CHECK(batch->messages[0].payload == std::string_view("\0\xff", 2));
    CHECK(batch->messages[0].age < seconds(60));
    holder.mark = batch->end;
  }
  NewRow row;
  row.topic = "it's \\ quoted";
  const auto id = fixture.admin()->send(row);
  REQUIRE_MESSAGE(id, id.error().text);
  const auto batch = holder.store->read(holder.mark, {10, 1000});
  REQUIRE(batch);
  CHECK(batch->messages[0].topic == "it's \\ quoted");
}

TEST_CASE("PostgreSQL: a URL's secrets do not appear in errors") {
  for (const char* url : {"postgresql://u:secret%zz@h/d", "postgresql://u:secret@h:port/d",
                          "postgresql://u:secret@h/d?secret=1x"}) {
    const auto store = postgresql_adapter().open_store({url, "outbox"});
    if (!store) {
      CHECK(store.error().fault == Fault::misconfigured);
      CHECK_MESSAGE(store.error().text.find("secret") == std::string::npos, store.error().text);
      continue;
    }
    CHECK(acquire_error(**store).text.find("secret") == std::string::npos);
  }
  const Error refused = acquire_error(*PostgresqlFixture::store_at("postgresql://u:secret@127.0.0.1:1/d"));
  CHECK(refused.fault == Fault::unavailable);
  CHECK(refused.text.find("127.0.0.1:1/d") != std::string::npos);
  CHECK(refused.text.find("secret") == std::string::npos);
}

TEST_CASE("PostgreSQL: a window far larger than the limit is paged, with rows of its middle settled") {
  PostgresqlFixture fixture;
  const auto writer = fixture.writer();
  writer->commit_rows(many_rows(3));
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).size() == 3);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  writer->commit_rows(many_rows(1000));
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});  // more than is sorted on the way in
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 10);
  CHECK(batch->messages[0].payload == "0");
  REQUIRE(holder.store->settle(holder.lease, {batch->cursor, batch->messages[4].seq}, {}));
  holder = holder_of(fixture);
  const auto rest = read_all(holder, {100, 1u << 20});
  CHECK(rest.size() == 995);
  CHECK(rest.front() == "5");
}

TEST_CASE("PostgreSQL: a batch of large payloads ends at its bytes without reading the rest") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  sql.run("ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL");
  sql.run(
      "INSERT INTO outbox (topic, payload) SELECT 't', decode(repeat('ab', 1 << 20), 'hex') FROM "
      "generate_series(1, 60)");
  Holder holder = holder_of(fixture);
  std::size_t rows = 0;
  for (bool more = true; more;) {
    const auto batch = holder.store->read(holder.mark, {1000, 4u << 20});
    REQUIRE_MESSAGE(batch, batch.error().text);
    CHECK(batch->messages.size() <= 4);
    rows += batch->messages.size();
    // what was cancelled must not cancel what comes after it
    REQUIRE(holder.store->settle(holder.lease, batch->end, {}));
    holder.mark = batch->end;
    more = batch->more;
  }
  CHECK(rows == 60);
}

}  // namespace
}  // namespace outbox::test
