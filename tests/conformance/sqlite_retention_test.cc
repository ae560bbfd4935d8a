// Retention beside services that write, and beside databases that are exchanged.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

std::int64_t count(const SqliteFixture& outbox) {
  return must(outbox.service(5s).number("SELECT count(*) FROM outbox", "test")).value_or(0);
}

/// A relay that has sent everything up to here.
Granted settle_all(Store& store) {
  const Granted grant = granted(store);
  must(store.settle(grant.lease, must(store.read({}, plenty)).end, {}));
  return grant;
}

std::size_t remove_all(Admin& admin, const Retention& retention = {}) {
  std::size_t rows = 0;
  for (;;) {
    const Removed removed = must(admin.remove_sent(retention));
    rows += removed.rows;
    if (!removed.more) return rows;
  }
}

TEST_CASE("retention gives way to a service that has a transaction open") {
  SqliteFixture outbox;
  outbox.insert(10);
  auto store = outbox.store();
  settle_all(*store);
  auto admin = outbox.admin();
  auto service = outbox.service();
  must(service.execute("BEGIN IMMEDIATE; INSERT INTO outbox (topic, payload) VALUES ('t', '')", "test"));
  const auto begin = std::chrono::steady_clock::now();
  const Removed removed = must(admin->remove_sent({}));
  CHECK(std::chrono::steady_clock::now() - begin < 2s);  // it has not waited for the lock
  CHECK(removed.rows == 0);
  CHECK(removed.more);
  must(service.execute("COMMIT", "test"));
  CHECK(remove_all(*admin) == 10);
  CHECK(count(outbox) == 1);
}

TEST_CASE("a service that writes all the time meets no lock while rows are removed") {
  SqliteFixture outbox;
  outbox.insert(30'000);
  auto store = outbox.store();
  settle_all(*store);
  std::atomic<bool> ending = false;
  int failures = 0, inserts = 0;
  std::thread writer([&] {
    auto service = outbox.service(100ms);
    while (!ending) {
      ++inserts;
      if (!service.execute("INSERT INTO outbox (topic, payload) VALUES ('t', '')", "test")) ++failures;
    }
  });
  auto admin = outbox.admin();
  std::size_t removed = 0;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (removed < 30'000 && std::chrono::steady_clock::now() < deadline)
    removed += must(admin->remove_sent({})).rows;
  ending = true;
  writer.join();
  MESSAGE("inserts beside it: ", inserts);
  CHECK(removed == 30'000);
  CHECK(inserts > 0);
  CHECK(failures == 0);
  CHECK(count(outbox) == inserts);
}

TEST_CASE("retention works in the other journal modes too") {
  SqliteFixture outbox;
  outbox.execute("PRAGMA journal_mode = DELETE");
  outbox.insert(5);
  auto store = outbox.store();
  settle_all(*store);
  store.reset();
  CHECK(remove_all(*outbox.admin()) == 5);
}

TEST_CASE("a chunk of large rows ends before its number is reached") {
  SqliteFixture outbox;
  outbox.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO outbox "
      "(topic, payload) SELECT 't', zeroblob(1000000) FROM n");
  auto store = outbox.store();
  settle_all(*store);
  auto admin = outbox.admin();
  const Removed first = must(admin->remove_sent({}));
  CHECK(first.rows == 5);
  CHECK(first.more);
  CHECK(remove_all(*admin) == 15);
}

TEST_CASE("rows with a date to come, or with none, stay no longer and no shorter than others") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, payload, created_at) VALUES ('t', '', '2999-01-01'), ('t', '', "
      "'2999-01-01'), "
      "('t', '', 'yesterday'), ('t', '', '2020-01-01'), ('t', '', '2020-01-01T00:00:00+02:00'), "
      "('t', '', datetime('now'))");
  auto store = outbox.store();
  settle_all(*store);
  CHECK(remove_all(*outbox.admin(), {1h, std::nullopt, 2}) == 0);
  CHECK(remove_all(*outbox.admin(), {0s, std::nullopt, 2}) == 6);
}

TEST_CASE("a mark that somebody has put back by hand keeps its rows") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  settle_all(*store);
  const Retention brief{500ms, std::nullopt, 100};
  const auto noted = std::chrono::steady_clock::now();
  CHECK(remove_all(*outbox.admin(), brief) == 0);
  auto books = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, 5s));
  must(books.execute("UPDATE outbox_mark SET seq = 2, last_id = NULL", "test"));
  REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - noted > 1s; }));
  CHECK(remove_all(*outbox.admin(), brief) == 2);
}

TEST_CASE("nothing is removed from a database that the marks were not saved for") {
  SqliteFixture outbox;
  outbox.insert(5);
  const std::string backup = outbox.back_up();
  outbox.insert(5);
  {
    auto store = outbox.store();
    settle_all(*store);
  }
  SUBCASE("while it is shorter than the mark") {
    outbox.put_back(backup);
  }
  SUBCASE("when it has grown past the mark") {
    outbox.put_back(backup);
    outbox.insert(20);
  }
  SUBCASE("when it has grown past the mark, whose row had been removed") {
    CHECK(remove_all(*outbox.admin()) == 10);
    outbox.put_back(backup);
    outbox.insert(20);
  }
  const std::int64_t rows = count(outbox);
  CHECK(remove_all(*outbox.admin()) == 0);
  CHECK(count(outbox) == rows);
  auto store = outbox.store();
  CHECK(granted(*store).mark.seq == 0);
}

TEST_CASE("the mark outlives its row, also when it is saved again") {
  SqliteFixture outbox;
  outbox.insert(5);
  const std::string backup = outbox.back_up();
  outbox.insert(5);
  {
    auto store = outbox.store();
    const Granted grant = settle_all(*store);
    CHECK(remove_all(*outbox.admin()) == 10);
    must(store->settle(grant.lease, {"", 10}, {}));
    CHECK(granted(*store).mark.seq == 10);
  }
  outbox.put_back(backup);
  outbox.insert(20);  // other rows have the numbers now
  auto store = outbox.store();
  CHECK(granted(*store).mark.seq == 0);
}

TEST_CASE("numbers of removed rows are not drawn again") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  settle_all(*store);
  CHECK(remove_all(*outbox.admin()) == 5);
  CHECK(count(outbox) == 0);
  outbox.insert(2);
  CHECK(seqs_of(must(store->read({"", 5}, plenty))) == std::vector<std::int64_t>{6, 7});
}

}  // namespace
}  // namespace outbox::test
