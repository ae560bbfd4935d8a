// The suites of every store, on SQLite.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

class SqliteWriter final : public ServiceWriter {
 public:
  explicit SqliteWriter(sqlite::Connection connection) : connection_(std::move(connection)) {}

  void begin() override { must(connection_.execute("BEGIN", "test")); }
  void commit() override { must(connection_.execute("COMMIT", "test")); }
  void rollback() override { must(connection_.execute("ROLLBACK", "test")); }

  void insert(const ServiceRow& row) override {
    auto statement =
        must(connection_.prepare("INSERT INTO outbox (topic, message_key, type, payload, content_type, "
                                 "headers, deliver_at) VALUES (?1, ?2, ?3, ?4, "
                                 "?5, ?6, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?7 || ' seconds'))",
                                 "test"));
    statement.bind(1, row.topic)
        .bind_optional(2, row.key)
        .bind_optional(3, row.type)
        .bind_blob(4, row.payload);
    statement.bind(5, row.content_type).bind(6, row.headers);
    if (row.deliver_in) statement.bind(7, std::int64_t{row.deliver_in->count()});
    REQUIRE(statement.run() == SQLITE_DONE);
  }

 private:
  sqlite::Connection connection_;
};

class SqliteStoreFixture final : public StoreFixture {
 public:
  std::unique_ptr<Store> store() override { return outbox_.store(); }
  std::unique_ptr<Admin> admin() override { return outbox_.admin(); }
  void execute(const std::string& sql) override { outbox_.execute(sql); }
  std::unique_ptr<ServiceWriter> writer() override {
    return std::make_unique<SqliteWriter>(outbox_.service(std::chrono::seconds(5)));
  }
  std::vector<std::string> audit() override {
    auto state = must(sqlite::Connection::open(outbox_.state_path(), sqlite::Access::existing, {}));
    auto lines = must(state.prepare(
        "SELECT actor || ' ' || action || ' ' || coalesce(route, '-') FROM outbox_audit ORDER BY seq",
        "test"));
    std::vector<std::string> result;
    while (lines.step() == SQLITE_ROW) result.push_back(lines.string(0));
    return result;
  }
  [[nodiscard]] bool has_concurrent_writers() const override { return false; }

 private:
  SqliteFixture outbox_;
};

TEST_CASE("SQLite") {
  SqliteStoreFixture fixture;
  store_suite(fixture);
}

TEST_CASE("SQLite: held rows") {
  SqliteStoreFixture fixture;
  store_held_suite(fixture);
}

TEST_CASE("SQLite: what is due") {
  SqliteStoreFixture fixture;
  store_due_suite(fixture);
}

TEST_CASE("SQLite: shards") {
  SqliteStoreFixture fixture;
  store_shard_suite(fixture);
}

TEST_CASE("SQLite: operators") {
  SqliteStoreFixture fixture;
  operator_suite(fixture);
}

TEST_CASE("SQLite: upkeep") {
  SqliteStoreFixture fixture;
  upkeep_suite(fixture);
}

TEST_CASE("SQLite: rows that no route takes") {
  SqliteStoreFixture fixture;
  unrouted_suite(fixture);
}

}  // namespace
}  // namespace outbox::test
