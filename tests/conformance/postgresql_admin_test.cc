// The tables themselves, who may use them, and the commands on them.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "adapters/stores/postgresql/postgresql_admin.h"
#include "tests/conformance/postgresql_fixture.h"

namespace outbox::test {
namespace {

bool has(const std::vector<Finding>& findings, Finding::Level level, const std::string& text) {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.level == level && (finding.what + "; " + finding.fix).find(text) != std::string::npos;
  });
}

TEST_CASE("PostgreSQL: a service needs INSERT and nothing else") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  make_role(sql, "test_service");
  sql.run("GRANT INSERT ON outbox TO test_service");
  const Sql service(as_role(fixture.url, "test_service"));
  service.run("INSERT INTO outbox (topic, payload) VALUES ('t', 'plain')");
  const std::string id =
      service.run("SELECT outbox_send('t', '{\"a\": 1}'::jsonb, 'k', 'made', '{\"h\": \"v\"}', now())");
  CHECK(id.size() == 36);
  service.run("SELECT outbox_send('t', '  [1, 2]')");
  service.run("SELECT outbox_send('t', 'hello', headers => NULL)");
  service.run("SELECT outbox_send(topic => 't', payload => '\\x00ff'::bytea, message_key => 'k')");
  CHECK(service.refused("SELECT payload FROM outbox").find("permission denied") != std::string::npos);
  CHECK(service.refused("UPDATE outbox SET topic = 'x'").find("permission denied") != std::string::npos);
  CHECK(service.refused("SELECT * FROM outbox_mark").find("permission denied") != std::string::npos);

  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1000});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 5);
  const auto& messages = batch->messages;
  CHECK(messages[0].payload == "plain");
  CHECK(messages[1].id_text() == id);
  CHECK(messages[1].payload == "{\"a\": 1}");
  CHECK(messages[1].content_type == "application/json");
  CHECK(messages[1].type == "made");
  CHECK(messages[1].key == "k");
  REQUIRE(messages[1].headers.size() == 1);
  CHECK(messages[2].content_type == "application/json");
  CHECK(messages[2].payload == "  [1, 2]");
  CHECK(messages[3].content_type == "text/plain;charset=utf-8");
  CHECK(messages[3].headers.empty());
  CHECK(messages[4].content_type == "application/octet-stream");
  CHECK(messages[4].payload == std::string_view("\0\xff", 2));
}

TEST_CASE("PostgreSQL: the granted rights are enough for a relay, and each missing one is named") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  fixture.writer()->commit_rows({{}, {}});
  const std::string url = as_role(fixture.url, "test_relay");
  const auto admin = PostgresqlFixture::admin_at(url);
  const auto findings = admin->check();
  REQUIRE_MESSAGE(findings, findings.error().text);
  for (const Finding& finding : *findings) CHECK_MESSAGE(finding.level == Finding::Level::ok, finding.what);
  {
    const auto store = PostgresqlFixture::store_at(url);
    auto acquired = store->acquire(request_of("relay-1"));
    REQUIRE_MESSAGE(acquired, acquired.error().text);
    const Granted granted = std::get<Granted>(*acquired);
    const auto batch = store->read(granted.mark, {10, 1000});
    REQUIRE(batch);
    Hold hold = hold_of(batch->messages[0], HeldState::retrying);
    CHECK(store->settle(granted.lease, batch->end, {{hold}, {}, {}}));
    CHECK(store->wait(std::chrono::milliseconds(1)));
    CHECK(PostgresqlFixture::admin_at(url)->backlog("orders"));
    CHECK(PostgresqlFixture::admin_at(url)->set_paused("orders", true, "tester"));
  }
  const std::pair<const char*, const char*> rights[] = {{"SELECT", "outbox"},      {"SELECT", "outbox_mark"},
                                                        {"INSERT", "outbox_mark"}, {"UPDATE", "outbox_mark"},
                                                        {"INSERT", "outbox_held"}, {"DELETE", "outbox_held"}};
  for (const auto& [right, table] : rights) {
    sql.run(std::string("REVOKE ") + right + " ON " + table + " FROM test_relay");
    const std::string fix = std::string("GRANT ") + right + " ON \"public\"." +
                            (std::string(table) == "outbox" ? "\"outbox\"" : table) + " TO \"test_relay\"";
    CHECK_MESSAGE(has(*admin->check(), Finding::Level::fault, fix), fix);
    const auto acquired = PostgresqlFixture::store_at(url)->acquire(request_of("relay-1"));
    REQUIRE_FALSE(acquired);
    CHECK(acquired.error().fault == Fault::misconfigured);
    CHECK_MESSAGE(acquired.error().text.find(fix) != std::string::npos, acquired.error().text);
    sql.run(std::string("GRANT ") + right + " ON " + table + " TO test_relay");
  }
  sql.run("REVOKE DELETE ON outbox FROM test_relay; ALTER TABLE outbox DISABLE TRIGGER outbox_wakeup");
  CHECK(has(*admin->check(), Finding::Level::warning, "GRANT DELETE"));
  CHECK(has(*admin->check(), Finding::Level::warning, "outbox_wakeup"));
  CHECK(has(*fixture.admin()->check(), Finding::Level::warning, "superuser"));
}

TEST_CASE("PostgreSQL: another schema and another name work all the way") {
  PostgresqlFixture fixture(PostgresqlServer::shared(), false);
  const Sql sql(fixture.url);
  const std::string table = "app.Order Events";
  const auto admin = PostgresqlFixture::admin_at(fixture.url, table);
  const auto refused = admin->apply(postgresql_adapter().migrations[0]);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("CREATE SCHEMA \"app\"") != std::string::npos);
  sql.run("CREATE SCHEMA app");
  PostgresqlFixture::migrate(*admin);
  CHECK(sql.run("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = "
                "'app'::regnamespace AND "
                "relkind IN ('r', 'v')") ==
        "Order Events outbox_audit outbox_held outbox_mark outbox_migration outbox_progress outbox_relay "
        "outbox_status");
  sql.run("SELECT app.outbox_send('t', 'hello')");
  NewRow row;
  row.topic = "t";
  CHECK(admin->send(row));
  Holder holder{PostgresqlFixture::store_at(fixture.url, table), {}, {}};
  const auto acquired = holder.store->acquire(request_of("relay-1"));
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  holder.mark = std::get<Granted>(*acquired).mark;
  CHECK(PostgresqlFixture::admin_at(fixture.url, table)->backlog("orders")->pending == 2);
  CHECK(read_all(holder).size() == 2);
  CHECK(sql.run("SELECT count(*) FROM app.outbox_status") == "2");
  std::jthread service([&] { sql.run("SELECT app.outbox_send('t', 'hello')"); });
  CHECK(*holder.store->wait(std::chrono::seconds(20)) == Woken::notified);
  const auto findings = admin->check();
  REQUIRE(findings);
  for (const Finding& finding : *findings)
    CHECK_MESSAGE(finding.level != Finding::Level::fault, finding.what);
  CHECK(admin->revert(postgresql_adapter().migrations[0], true));
  CHECK(sql.run("SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', "
                "'v')") == "1");
}

TEST_CASE("PostgreSQL: only the lone word is renamed") {
  CHECK(
      postgresql::renamed(
          "-- the outbox's\nCREATE TABLE outbox (a); 'outbox' \"outbox\" outbox_mark myoutbox a.outbox;",
          "x\"y") ==
      "-- the outbox's\nCREATE TABLE \"x\"\"y\" (a); 'outbox' \"outbox\" outbox_mark myoutbox a.\"x\"\"y\";");
  CHECK(postgresql::renamed("outbox", "outbox") == "outbox");
}

TEST_CASE("PostgreSQL: a migration is applied once, however many try") {
  PostgresqlFixture fixture(PostgresqlServer::shared(), false);
  const Migration first = postgresql_adapter().migrations[0];
  CHECK(fixture.admin()->migrations()->empty());
  std::atomic<int> applied = 0, present = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i)
      threads.emplace_back([&] {
        const auto result = fixture.admin()->apply(first);
        if (result) *result ? ++applied : ++present;
      });
  }
  CHECK(applied == 1);
  CHECK(present == 5);
  const auto record = fixture.admin()->migrations();
  REQUIRE(record);
  REQUIRE(record->size() == 1);
  CHECK(record->front().version == 1);
  CHECK(record->front().name == "outbox");
  CHECK(record->front().checksum == first.checksum);
  CHECK(record->front().applied_at.size() == 20);
}

TEST_CASE("PostgreSQL: a migration that fails leaves nothing behind") {
  PostgresqlFixture fixture(PostgresqlServer::shared(), false);
  Migration broken = postgresql_adapter().migrations[0];
  broken.up += "SELECT no_such_thing;";
  const auto result = fixture.admin()->apply(broken);
  REQUIRE_FALSE(result);
  CHECK(result.error().text.find("no_such_thing") != std::string::npos);
  CHECK(fixture.admin()->migrations()->empty());
  CHECK(fixture.admin()->apply(postgresql_adapter().migrations[0]));
}

TEST_CASE("PostgreSQL: what is not sent is not dropped, unless forced") {
  PostgresqlFixture fixture;
  const auto admin = fixture.admin();
  const Migration first = postgresql_adapter().migrations[0];
  fixture.writer()->commit_rows({{}});
  CHECK(admin->revert(first, false).error().fault == Fault::refused);  // no route has ever read it
  {
    Holder holder = holder_of(fixture);
    CHECK(admin->revert(first, false).error().fault == Fault::refused);
    CHECK(read_all(holder).size() == 1);
    REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
    fixture.writer()->commit_rows({{}});
    CHECK(admin->revert(first, false).error().text.find("--force") != std::string::npos);
    CHECK(read_all(holder).size() == 1);
    REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  }
  CHECK(admin->revert(first, false));
  CHECK(admin->migrations()->empty());
  CHECK(*admin->apply(first));
  fixture.writer()->commit_rows({{}});
  CHECK(admin->revert(first, true));
}

TEST_CASE("PostgreSQL: an administrator's connection that was lost is made anew") {
  PostgresqlServer server;
  PostgresqlFixture fixture(server);
  const auto admin = fixture.admin();
  CHECK(admin->migrations());
  server.stop();
  const auto down = admin->migrations();
  REQUIRE_FALSE(down);
  CHECK(down.error().fault == Fault::unavailable);
  server.start();
  CHECK(admin->migrations());
  server.stop();
  server.start();
  NewRow row;
  row.topic = "t";
  CHECK(admin->send(row));
}

}  // namespace
}  // namespace outbox::test
