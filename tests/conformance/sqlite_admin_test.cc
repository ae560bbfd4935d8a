// Migrations, checks and operators' deeds on a SQLite outbox.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "schema/embedded.h"
#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

const Migration& first_migration() {
  return sqlite_migrations().front();
}

bool has(const std::vector<Finding>& findings, Finding::Level level, std::string_view text) {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.level == level && (finding.what + " | " + finding.fix).find(text) != std::string::npos;
  });
}

TEST_CASE("migrating makes the database, in WAL mode, and is recorded once however many do it at once") {
  TempDir directory;
  const StoreTarget target{"sqlite:" + (directory / "new.db"), "outbox"};
  CHECK(must(must(sqlite_adapter().open_admin(target))->migrations()).empty());
  CHECK(std::filesystem::is_empty(directory.path()));
  std::atomic<int> applied = 0;
  std::vector<std::thread> processes;
  for (int i = 0; i < 6; ++i)
    processes.emplace_back([&] {
      auto admin = must(sqlite_adapter().open_admin(target));
      if (must(admin->apply(first_migration()))) ++applied;
    });
  for (std::thread& process : processes) process.join();
  CHECK(applied == 1);
  auto admin = must(sqlite_adapter().open_admin(target));
  const auto record = must(admin->migrations());
  REQUIRE(record.size() == 1);
  CHECK(record.front().checksum == first_migration().checksum);
  CHECK(record.front().name == first_migration().name);
  CHECK(record.front().applied_at.ends_with("Z"));
  CHECK_FALSE(has(must(admin->check()), Finding::Level::warning, ""));
}

TEST_CASE("a migration is reverted only when nothing unsent is lost, or by force") {
  SqliteFixture outbox;
  auto admin = outbox.admin();
  outbox.insert(3);
  SUBCASE("no relay has run") {
    const auto reverted = admin->revert(first_migration(), false);
    REQUIRE_FALSE(reverted.ok());
    CHECK(reverted.error().fault == Fault::refused);
    CHECK(reverted.error().text.find("3 rows") != std::string::npos);
    CHECK(must(outbox.admin()->backlog("main")).pending == 3);
    CHECK(must(admin->migrations()).size() == 1);
    must(admin->revert(first_migration(), true));
    CHECK(must(admin->migrations()).empty());
  }
  SUBCASE("no route takes what it has still to come across") {
    auto store = outbox.store();
    LeaseRequest wish = request();
    wish.topics = {"other"};
    must(store->settle(granted(*store, wish).lease, {"", 1}, {}));
    CHECK(admin->revert(first_migration(), false).error().text.find("2 rows") != std::string::npos);
  }
  SUBCASE("a route has sent one row") {
    auto store = outbox.store();
    const Granted grant = granted(*store);
    must(store->settle(grant.lease, {"", 1}, {}));
    CHECK(admin->revert(first_migration(), false).error().text.find("2 rows") != std::string::npos);
    must(store->settle(grant.lease, {"", 3}, {}));
    must(admin->revert(first_migration(), false));
    CHECK(store->settle(grant.lease, {"", 3}, {}).error().fault != Fault::refused);
    must(admin->apply(first_migration()));
    outbox.insert(2);
    auto other = outbox.store();
    CHECK(granted(*other, request("relay-b")).mark.seq == 0);
  }
}

TEST_CASE("a migration that fails changes nothing") {
  SqliteFixture outbox;
  const Migration broken{2, "broken", "c", "CREATE TABLE more (a); CREATE TABLE outbox (b)", ""};
  CHECK(outbox.admin()->apply(broken).error().fault == Fault::refused);
  CHECK(must(outbox.admin()->migrations()).size() == 1);
  CHECK(must(outbox.service().number("SELECT count(*) FROM sqlite_master WHERE name = 'more'", "test")) == 0);
  const Migration too_early{3, "early", "c", "SELECT 1", ""};
  CHECK(outbox.admin()->apply(too_early).error().fault == Fault::refused);
}

TEST_CASE("a row that is sent by hand arrives as it was given") {
  SqliteFixture outbox;
  auto admin = outbox.admin();
  NewRow row;
  row.topic = "orders";
  row.key = "k";
  row.payload = std::string("\0\xff", 2);
  row.headers = {{"a\"b", "line\nbreak"}, {"c", "\xC3\xA9"}};
  row.deliver_at = "2026-01-31T13:00:00+01:00";
  row.id = "01234567-89AB-CDEF-0123-456789ABCDEF";
  CHECK(must(admin->send(row)) == "01234567-89ab-cdef-0123-456789abcdef");
  row.id.reset();
  CHECK(must(admin->send(row)).size() == 36);

  auto store = outbox.store();
  granted(*store);
  const Batch batch = must(store->read({}, plenty));
  REQUIRE(batch.messages.size() == 2);
  const Message& message = batch.messages.front();
  CHECK(message.payload == row.payload);
  REQUIRE(message.headers.size() == 2);
  CHECK(message.headers[0].name == "a\"b");
  CHECK(message.headers[0].value == "line\nbreak");
  CHECK(message.headers[1].value == "\xC3\xA9");
  CHECK(message.due_in < Duration::zero());

  row.id = "order 1";
  CHECK(admin->send(row).error().fault == Fault::refused);
  row.id.reset();
  row.deliver_at = "tomorrow";
  CHECK(admin->send(row).error().fault == Fault::refused);
}

TEST_CASE("the backlog counts what the route has not settled, and how old it is") {
  SqliteFixture outbox;
  auto admin = outbox.admin();
  CHECK(must(admin->backlog("main")).pending == 0);
  outbox.execute(
      "INSERT INTO outbox (topic, payload, created_at) VALUES ('t', '', datetime('now', '-1 hour')), "
      "('t', '', datetime('now', '-10 minutes'))");
  CHECK(must(admin->backlog("main")).pending == 2);
  CHECK(must(admin->backlog("main")).oldest_age > std::chrono::minutes(59));
  auto store = outbox.store();
  must(store->settle(granted(*store).lease, {"", 1}, {}));
  CHECK(must(admin->backlog("main")).pending == 1);
  CHECK(must(admin->backlog("main")).oldest_age < std::chrono::minutes(11));
  CHECK(must(admin->backlog("other")).pending == 2);
}

TEST_CASE("a pause outlives the session and leaves a trace") {
  SqliteFixture outbox;
  auto database = outbox.admin();
  CHECK(database->set_paused("main", true, "tester").error().fault == Fault::refused);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  must(database->set_paused("main", true, "tester"));
  CHECK(database->set_paused("other", true, "tester").error().fault == Fault::refused);
  must(store->renew(grant.lease));
  CHECK(granted(*outbox.store()).paused);
  auto state = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, {}));
  CHECK(must(state.number("SELECT count(*) FROM outbox_audit WHERE action = 'pause' AND route = 'main'",
                          "test")) == 1);
}

TEST_CASE("check names what is wrong and what to do") {
  SqliteFixture outbox;
  auto admin = outbox.admin();
  SUBCASE("nothing") {
    for (const Finding& finding : must(admin->check())) {
      CAPTURE(finding.what);
      CHECK(finding.level == Finding::Level::ok);
      CHECK(finding.fix.empty());
    }
  }
  SUBCASE("journal mode") {
    outbox.execute("PRAGMA journal_mode = DELETE");
    CHECK(has(must(admin->check()), Finding::Level::warning, "PRAGMA journal_mode = WAL"));
  }
  SUBCASE("table") {
    outbox.execute("DROP TABLE outbox");
    CHECK(has(must(admin->check()), Finding::Level::fault, "outboxd migrate up"));
  }
  SUBCASE("columns") {
    outbox.execute("ALTER TABLE outbox DROP COLUMN headers; ALTER TABLE outbox DROP COLUMN type");
    const auto findings = must(admin->check());
    CHECK(has(findings, Finding::Level::fault, "no column headers"));
    CHECK(has(findings, Finding::Level::fault, "no column type"));
  }
  SUBCASE("changed migration") {
    outbox.execute("UPDATE outbox_migration SET checksum = 'x'");
    CHECK(has(must(admin->check()), Finding::Level::warning, "another text"));
  }
  SUBCASE("the relay's file") {
    std::filesystem::create_directory(outbox.state_path());
    CHECK(has(must(admin->check()), Finding::Level::fault, ".outboxd"));
  }
}

TEST_CASE("URLs and table names that can never work are refused with what to write") {
  const auto error = [](const char* url, const char* table = "outbox") {
    const auto store = sqlite_adapter().open_store({url, table});
    return store.ok() ? std::string() : store.error().text;
  };
  CHECK(error("sqlite:orders.db").empty());
  CHECK(error("sqlite:/var/lib/orders.db").empty());
  CHECK(error("sqlite:///var/lib/orders.db").empty());
  CHECK(error("sqlite://orders.db").find("sqlite:///absolute/path") != std::string::npos);
  CHECK_FALSE(error("sqlite:").empty());
  CHECK_FALSE(error("sqlite::memory:").empty());
  CHECK_FALSE(error("sqlite:a.db?mode=ro").empty());
  CHECK_FALSE(error("sqlite:a.db", "main.outbox").empty());
  CHECK_FALSE(error("sqlite:a.db", "out box").empty());
  CHECK_FALSE(error("sqlite:a.db", "a\";--").empty());
}

}  // namespace
}  // namespace outbox::test
