// A pooler between relay and server.
#include <doctest/doctest.h>

#include <string>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/server.h"

namespace outbox::test {
namespace {

/// PgBouncer before the shared server.
class PgBouncer : public Server {
 public:
  explicit PgBouncer(const std::string& pool_mode) : Server("pgbouncer") {
    more_ = {std::to_string(PostgresqlServer::shared().port()), "pool_mode=" + pool_mode};
    start();
  }

  /// The same database, by way of it.
  [[nodiscard]] std::string url_of(const std::string& database_url) const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port()) +
           database_url.substr(database_url.rfind('/'));
  }
};

void check_refused(const std::string& url) {
  const auto store = PostgresqlFixture::store_at(url);
  const auto granted = store->acquire(request_of("relay-1"));
  REQUIRE_FALSE(granted);
  CHECK(granted.error().fault == Fault::misconfigured);
  CHECK(granted.error().text.find("pool_mode=session") != std::string::npos);
  const auto admin = PostgresqlFixture::admin_at(url);
  const auto routes = admin->routes();
  REQUIRE_FALSE(routes);
  CHECK(routes.error().text.find("pool_mode=session") != std::string::npos);
  NewRow row;
  row.topic = "t";
  const auto sent = PostgresqlFixture::admin_at(url)->send(row);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().fault == Fault::misconfigured);
}

}  // namespace

TEST_CASE("PostgreSQL, pooled by transaction: refused before anything is set on the services' sessions") {
  const PostgresqlFixture fixture;
  const PgBouncer pooler("transaction");
  const std::string url = pooler.url_of(fixture.url);
  check_refused(url);
  // Whatever others have left in the pool: here two sessions, of which one is in use.
  const Sql busy(url), idle(url);
  busy.run("BEGIN");
  idle.run("SELECT 1");
  check_refused(url);
  const char* settings =
      "SELECT current_setting('enable_seqscan') || current_setting('statement_timeout') || "
      "current_setting('lock_timeout') || current_setting('jit') || current_setting('row_security')";
  const std::string untouched = Sql(fixture.url).run(settings);
  CHECK(busy.run(settings) == untouched);
  for (int i = 0; i < 3; ++i) CHECK(Sql(url).run(settings) == untouched);
  busy.run("COMMIT");
}

TEST_CASE("PostgreSQL, pooled by statement: refused") {
  const PostgresqlFixture fixture;
  const PgBouncer pooler("statement");
  const auto store = PostgresqlFixture::store_at(pooler.url_of(fixture.url));
  const auto granted = store->acquire(request_of("relay-1"));
  REQUIRE_FALSE(granted);
  CHECK(granted.error().fault == Fault::misconfigured);
}

TEST_CASE("PostgreSQL, pooled by session: rows are read, settled and waited for") {
  PostgresqlFixture fixture;
  const PgBouncer pooler("session");
  const std::string url = pooler.url_of(fixture.url);
  const auto store = PostgresqlFixture::store_at(url);
  const auto acquired = store->acquire(request_of("relay-1"));
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  const auto& granted = std::get<Granted>(*acquired);
  fixture.writer()->commit_rows({{.payload = "1"}, {.payload = "2"}});
  const auto batch = store->read(granted.mark, {10, 1u << 20});
  REQUIRE_MESSAGE(batch, batch.error().text);
  CHECK(seqs_text(*batch) == "1 2");
  CHECK(store->settle(granted.lease, batch->end, {}));
  CHECK(store->wait(std::chrono::milliseconds(50)));
  CHECK(PostgresqlFixture::admin_at(url)->backlog("orders")->pending == 0);
}

}  // namespace outbox::test
