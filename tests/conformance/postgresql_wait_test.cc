// Waking up: NOTIFY only for sleepers, and nothing that keeps a relay from its sleep or from waking.
#include <doctest/doctest.h>

#include <deque>
#include <thread>

#include "adapters/stores/postgresql/waiter.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr const char* insert = "INSERT INTO outbox (topic, payload) VALUES ('t', '')";

/// A session that hears every NOTIFY of the outbox.
class Listener {
 public:
  explicit Listener(const std::string& url) : sql_(url) {
    sql_.run("LISTEN outbox_" + sql_.run("SELECT 'outbox'::regclass::oid"));
  }
  int heard() {
    sql_.run("SELECT 1");
    for (PGnotify* notification = nullptr; (notification = PQnotifies(sql_.get()));) {
      ++heard_;
      PQfreemem(notification);
    }
    return heard_;
  }

 private:
  Sql sql_;
  int heard_ = 0;
};

TEST_CASE("PostgreSQL: commits send a NOTIFY only while a relay sleeps") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Listener listener(fixture.url);
  Holder holder = holder_of(fixture);
  for (int i = 0; i < 5; ++i) sql.run(insert);
  CHECK(listener.heard() == 0);
  CHECK(read_all(holder).size() == 5);
  CHECK(sql.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0");

  Sleeper relay(holder);
  REQUIRE(eventually([&] { return sleeps(sql); }));
  sql.run(insert);
  CHECK(relay.rows() == 1);
  CHECK(listener.heard() == 1);
  CHECK_FALSE(sleeps(sql));
  sql.run(insert);
  CHECK(listener.heard() == 1);
  CHECK(read_all(holder).size() == 1);
}

TEST_CASE("PostgreSQL: several relays sleep at a time, beside a long writer, and all of them wake") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url), long_writer(fixture.url);
  long_writer.run(std::string("BEGIN; ") + insert);
  std::vector<Holder> holders;
  for (int i = 0; i < 3; ++i) {
    Holder holder{fixture.store(), {}, {}};
    LeaseRequest request = request_of("relay-1");
    request.route = "route-" + std::to_string(i);
    auto acquired = holder.store->acquire(request);
    REQUIRE(acquired);
    holder.mark = std::get<Granted>(*acquired).mark;
    CHECK(read_all(holder).empty());
    holders.push_back(std::move(holder));
  }
  std::deque<Sleeper> relays;
  for (Holder& holder : holders) relays.emplace_back(holder);
  REQUIRE(eventually([&] {
    return sql.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'") == "3";
  }));
  sql.run(insert);
  for (Sleeper& relay : relays) CHECK(relay.rows() == 1);
}

TEST_CASE("PostgreSQL: a commit whose trigger ran before the relay lay down is found all the same") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url), writer(fixture.url);
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
  writer.run(std::string("BEGIN; ") + insert);
  Sleeper relay(holder);
  REQUIRE(eventually([&] { return sleeps(sql); }));
  const auto begin = steady_clock::now();
  writer.run("COMMIT");
  CHECK(relay.rows() == 1);
  CHECK(steady_clock::now() - begin < seconds(10));  // 100 ms and what a busy machine needs
}

TEST_CASE("PostgreSQL: behind a pooler, without notifications, probing wakes") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  auto connection = postgresql::Connection::open(*postgresql::connection_settings(fixture.url));
  REQUIRE(connection);
  const auto tables = postgresql::find_tables(**connection, postgresql::table_name("outbox"));
  REQUIRE(tables);
  auto reader = postgresql::Reader::prepare(**connection, *tables);
  REQUIRE(reader);
  auto waiter = postgresql::Waiter::prepare(**connection, *tables, false);
  REQUIRE(waiter);
  Wakeup wakeup;
  REQUIRE(reader->read({postgresql::snapshot_of_nothing, 0}, {10, 1000}));
  CHECK(*waiter->wait(*reader, wakeup, milliseconds(30)) == Woken::timeout);
  CHECK_FALSE(sleeps(sql));
  const std::jthread service([&] { sql.run(insert); });
  CHECK(*waiter->wait(*reader, wakeup, seconds(60)) == Woken::notified);
}

TEST_CASE("PostgreSQL: a service in a trap of search_path still wakes the relay") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url), service(fixture.url);
  service.run(
      "CREATE SCHEMA trap; CREATE FUNCTION trap.concat(text, oid) RETURNS text LANGUAGE sql AS 'SELECT "
      "''no'''; "
      "CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT'; SET search_path = "
      "trap, pg_catalog");
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
  Sleeper relay(holder);
  REQUIRE(eventually([&] { return sleeps(sql); }));
  Listener listener(fixture.url);
  service.run("INSERT INTO public.outbox (topic, payload) VALUES ('t', '')");
  CHECK(relay.rows() == 1);
  CHECK(listener.heard() == 1);
}

}  // namespace
}  // namespace outbox::test
