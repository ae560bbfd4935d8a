// What services, their roles and their tools do to the outbox, and what the outbox must not do to them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

/// The fix of the finding that has this text; empty: there is none.
std::string fix_of(Admin& admin, Finding::Level level, const std::string& text) {
  const auto findings = admin.check();
  REQUIRE_MESSAGE(findings, findings.error().text);
  for (const Finding& finding : *findings)
    if (finding.level == level && finding.what.find(text) != std::string::npos) return finding.fix;
  return {};
}

TEST_CASE("PostgreSQL: tx is the database's word, whoever inserts and by what means") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  Holder holder = holder_of(fixture);
  sql.run("INSERT INTO outbox (topic, payload) VALUES ('t', 'first')");
  REQUIRE(read_all(holder).size() == 1);  // so that there is a past
  const auto arrives_once = [&] {
    CHECK(read_all(holder) == std::vector<std::string>{"p"});
    CHECK(read_all(holder).empty());
  };
  SUBCASE("an INSERT with a number of the future") {
    sql.run("INSERT INTO outbox (topic, payload, tx) VALUES ('t', 'p', '900000000')");
    arrives_once();
  }
  SUBCASE("an INSERT with a number of the past") {
    sql.run("INSERT INTO outbox (topic, payload, tx) VALUES ('t', 'p', '3')");
    arrives_once();
  }
  SUBCASE("an INSERT with none") {
    sql.run("INSERT INTO outbox (topic, payload, tx) VALUES ('t', 'p', NULL)");
    arrives_once();
  }
  SUBCASE("COPY") {
    sql.run("COPY outbox (topic, payload, tx) FROM PROGRAM 'echo t,p,900000000' (FORMAT csv)");
    arrives_once();
  }
  SUBCASE("logical replication, which fires only what is always enabled") {
    sql.run(
        "SET session_replication_role = replica;"
        "INSERT INTO outbox (topic, payload, tx) VALUES ('t', 'p', '900000000')");
    arrives_once();
  }
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "outbox_stamp") == "");
  const char* trigger = "outbox_stamp";
  SUBCASE("a change to a number of the future") {
    fixture.writer()->commit_rows({{.payload = "p"}});
    sql.run("UPDATE outbox SET tx = '900000000'");
    arrives_once();
    sql.run("UPDATE outbox SET tx = '900000000', topic = 'u'");
    CHECK(read_all(holder).empty());
    trigger = "outbox_keep_tx";
  }
  SUBCASE("a change to a number of the past") {
    fixture.writer()->commit_rows({{.payload = "p"}});
    sql.run("UPDATE outbox SET tx = '3'");
    arrives_once();
  }
  SUBCASE("a change by the transaction that wrote it") {
    sql.run(
        "BEGIN; INSERT INTO outbox (topic, payload) VALUES ('t', 'p'); UPDATE outbox SET tx = '900000000'; "
        "COMMIT");
    arrives_once();
  }
  SUBCASE("a change that makes it new, as an operator has it") {
    fixture.writer()->commit_rows({{.payload = "p"}});
    arrives_once();
    sql.run("UPDATE outbox SET tx = pg_current_xact_id() WHERE payload = 'p'");
    arrives_once();
  }
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "outbox_stamp") == "");
  sql.run(std::string("ALTER TABLE outbox DISABLE TRIGGER ") + trigger);
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "outbox_stamp") != "");
}

TEST_CASE(
    "PostgreSQL: a row whose tx cannot be is held with its reason, and goes out at an operator's word") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  fixture.writer()->commit_rows({{.key = "a", .payload = "1"}, {.payload = "2"}});
  sql.run(untriggered("UPDATE outbox SET tx = '900000000' WHERE payload = '1'"));
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder, {1, 1000}) == std::vector<std::string>{"2", ""});
  for (int i = 0; i < 3; ++i) CHECK(read_all(holder).empty());
  holder = holder_of(fixture);
  auto batch = holder.store->read(holder.mark, {10, 1000});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 1);
  CHECK(batch->messages[0].defect == "");
  batch = holder.store->read(batch->end, {10, 1000});
  while (batch && batch->messages.empty() && batch->more) batch = holder.store->read(batch->end, {10, 1000});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 1);
  const Message& message = batch->messages[0];
  CHECK(message.seq == 1);
  CHECK(message.key == "a");
  CHECK(message.defect.find("tx is 900000000") == 0);
  Hold dead = hold_of(message, HeldState::dead);
  dead.last_error = message.defect;
  REQUIRE(holder.store->settle(holder.lease, {batch->cursor, message.seq}, {{dead}, {}, {}}));
  holder.mark = batch->end;
  CHECK(sql.run("SELECT state FROM outbox_status WHERE seq = 1") == "dead");
  CHECK(sql.run("SELECT state FROM outbox_status WHERE seq = 2") == "sent");
  CHECK(fixture.admin()->backlog("orders")->pending == 0);
  const std::string fix = fix_of(*fixture.admin(), Finding::Level::warning, "1 rows");
  CHECK(fix.find("held requeue") != std::string::npos);

  HeldFilter filter;
  filter.seqs = {1};
  SUBCASE("to requeue it") {
    const auto requeued = fixture.admin()->change_held(HeldAction::requeue, filter, 10, false, "tester");
    REQUIRE_MESSAGE(requeued, requeued.error().text);
    CHECK(requeued->changed == 1);
  }
  SUBCASE("by the owner, where the role may not") {
    const auto admin = PostgresqlFixture::admin_at(as_role(fixture.url, "test_relay"));
    const auto refused = admin->change_held(HeldAction::requeue, filter, 10, false, "tester");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == Fault::refused);
    const std::string text = refused.error().text;
    const auto begin = text.find("WITH dated");
    REQUIRE(begin != std::string::npos);
    sql.run(text.substr(begin, text.rfind(" (") - begin));
  }
  SUBCASE("by what check says") {
    sql.run(fix.substr(fix.find("WITH dated")));
  }
  // by the session that has seen it before, and by the next one
  CHECK(read_all(holder) == std::vector<std::string>{"1"});
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  CHECK(fixture.admin()->held({}, {}, 10)->empty());
  CHECK(sql.run("SELECT state FROM outbox_status WHERE seq = 1") == "sent");
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "that no transaction") == "");
  holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
}

TEST_CASE("PostgreSQL: more rows whose tx cannot be than are looked at in one go are all held, each once") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  sql.run("INSERT INTO outbox (topic, payload) SELECT 't', 'p' FROM generate_series(1, 250)");
  sql.run(untriggered("UPDATE outbox SET tx = (900000000 + seq % 3)::text::xid8"));
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).size() == 250);
  CHECK(read_all(holder).empty());
}

TEST_CASE("PostgreSQL: a row whose tx cannot be is discarded for good, by all routes at once") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  fixture.writer()->commit_rows({{.key = "a", .payload = "1"}, {.payload = "2"}});
  sql.run(untriggered("UPDATE outbox SET tx = '900000000' WHERE payload = '1'"));
  const auto held_by = [&](const LeaseRequest& request) {
    Shelf shelf(fixture, request);
    shelf.take({{}, {.state = HeldState::dead}});
  };
  const auto discard = [&](const char* route) {
    HeldFilter filter;
    filter.seqs = {1};
    if (route) filter.route = route;
    return fixture.admin()->change_held(HeldAction::discard, filter, 10, false, "tester");
  };
  LeaseRequest other = request_of("relay-1");
  other.route = "others";
  held_by(request_of("relay-1"));
  SUBCASE("when there is one") {
    CHECK(discard("orders"));
  }
  SUBCASE("when there are two") {
    const Holder holder = holder_of(fixture, other);
    for (const char* route : {"orders", static_cast<const char*>(nullptr)}) {
      const auto refused = discard(route);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().fault == Fault::refused);
      CHECK(refused.error().text.find("route others takes seq 1 as well") != std::string::npos);
    }
    held_by(other);
    CHECK_FALSE(discard("others"));
    CHECK(fixture.admin()->held({}, {}, 10)->size() == 2);
    CHECK(discard(nullptr));
  }
  CHECK(fixture.admin()->held({}, {}, 10)->empty());
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
  CHECK(sql.run("SELECT string_agg(seq::text, ',') FROM outbox") == "2");
}

TEST_CASE("PostgreSQL: rows that a policy hides are not passed, and the policy is named") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  const std::string url = as_role(fixture.url, "test_relay");
  Holder holder{PostgresqlFixture::store_at(url), {}, {}};
  auto acquired = holder.store->acquire(request_of("relay-1"));
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  holder.lease = std::get<Granted>(*acquired).lease;
  holder.mark = std::get<Granted>(*acquired).mark;

  sql.run(
      "ALTER TABLE outbox ENABLE ROW LEVEL SECURITY; CREATE POLICY one_tenant ON outbox USING (topic = 'a')");
  fixture.writer()->commit_rows({{.topic = "a"}, {.topic = "b"}});
  const auto batch = holder.store->read(holder.mark, {10, 1000});
  REQUIRE_FALSE(batch);
  CHECK(batch.error().fault == Fault::misconfigured);
  CHECK(batch.error().text.find("row-level security") != std::string::npos);
  acquired = holder.store->acquire(request_of("relay-1"));
  REQUIRE_FALSE(acquired);
  CHECK(acquired.error().text.find("one_tenant") != std::string::npos);
  CHECK(fix_of(*PostgresqlFixture::admin_at(url), Finding::Level::fault, "one_tenant").find("BYPASSRLS") !=
        std::string::npos);
}

TEST_CASE("PostgreSQL: what a crash of the server would empty is told") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "unlogged") == "");
  sql.run("ALTER TABLE outbox_held SET UNLOGGED; ALTER TABLE outbox SET UNLOGGED");
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "unlogged: outbox, outbox_held") != "");
}

TEST_CASE("PostgreSQL: transactions can be prepared beside a relay that sleeps") {
  PostgresqlServer server({.settings = {"max_prepared_transactions=10"}});
  PostgresqlFixture fixture(server);
  const Sql sql(fixture.url);
  const std::string database = sql.run("SELECT current_database()");
  Holder holder = holder_of(fixture);
  {
    Sleeper relay(holder);
    REQUIRE(eventually([&] { return sleeps(sql); }));
    for (int i = 0; i < 300; ++i) {
      sql.run("BEGIN");
      sql.run("INSERT INTO outbox (topic, payload) VALUES ('t', '')");
      sql.run("PREPARE TRANSACTION 'order'");
      sql.run(i % 3 == 0 ? "ROLLBACK PREPARED 'order'" : "COMMIT PREPARED 'order'");
    }
    CHECK(relay.rows() >= 1);
  }
  read_all(holder);
  CHECK(sql.run("SELECT count(*) FROM outbox") == "200");

  const std::string fix = fix_of(*fixture.admin(), Finding::Level::warning, "max_prepared_transactions");
  REQUIRE(fix.find("ALTER DATABASE") != std::string::npos);
  sql.run(fix.substr(fix.find("ALTER DATABASE")));
  CHECK(fix_of(*fixture.admin(), Finding::Level::warning, "max_prepared_transactions") == "");
  const Sql service(fixture.url);
  Sleeper relay(holder);
  REQUIRE(eventually([&] { return sleeps(sql); }));
  service.run("BEGIN");
  service.run("INSERT INTO outbox (topic, payload) VALUES ('t', '')");
  CHECK(service.refused("PREPARE TRANSACTION 'order'").find("NOTIFY") !=
        std::string::npos);  // as it was told
  service.run("INSERT INTO outbox (topic, payload) VALUES ('t', '')");
  CHECK(relay.rows() == 1);
}

TEST_CASE("PostgreSQL: a service without a right on what the wake-up calls inserts all the same") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  make_role(sql, "test_service");
  sql.run("GRANT INSERT ON outbox TO test_service");
  Holder holder = holder_of(fixture);
  for (const char* function : {"pg_notify(text, text)", "pg_try_advisory_lock(int, int)",
                               "pg_advisory_unlock(int, int)", "pg_notification_queue_usage()"}) {
    INFO(function);
    sql.run(std::string("REVOKE EXECUTE ON FUNCTION ") + function + " FROM PUBLIC");
    Sleeper relay(holder);
    REQUIRE(eventually([&] { return sleeps(sql); }));
    Sql(as_role(fixture.url, "test_service")).run("INSERT INTO outbox (topic, payload) VALUES ('t', '')");
    CHECK(relay.rows() == 1);
  }
}

TEST_CASE("PostgreSQL: a service's role may insert as ORMs do, and read no payload") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  const Sql service(as_role(fixture.url, "test_service"));
  service.run(
      "INSERT INTO outbox (topic, payload) VALUES ('t', '{}') RETURNING seq, id, content_type, headers, "
      "created_at, tx");
  CHECK(service.run("SELECT topic FROM outbox WHERE seq = 1") == "t");
  for (const char* statement : {"SELECT payload FROM outbox",
                                "INSERT INTO outbox (topic, payload) VALUES ('t', '{}') RETURNING payload",
                                "UPDATE outbox SET topic = 'x'", "DELETE FROM outbox",
                                "INSERT INTO outbox (topic, tx) VALUES ('t', '3')",
                                "INSERT INTO outbox (topic, seq) OVERRIDING SYSTEM VALUE VALUES ('t', 1000)",
                                "INSERT INTO outbox (topic, created_at) VALUES ('t', '1970-01-01')"})
    CHECK(service.refused(statement).find("permission denied") != std::string::npos);
}

TEST_CASE("PostgreSQL: outbox_send writes to the outbox, whatever a session calls so") {
  PostgresqlFixture fixture;
  grant_roles(fixture.url, "test_service", "test_relay");
  const Sql service(as_role(fixture.url, "test_service"));
  service.run(
      "CREATE TEMPORARY TABLE outbox (id uuid, topic text, message_key text, type text, payload bytea, data "
      "text, "
      "content_type text, headers jsonb, deliver_at timestamptz); SET search_path = pg_temp, public");
  for (const char* payload : {"'text'::text", "'{}'::jsonb", "'\\x00'::bytea"})
    service.run(std::string("SELECT public.outbox_send('t', ") + payload + ")");
  CHECK(service.run("SELECT count(*) FROM outbox") == "0");
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).size() == 3);
}

}  // namespace
}  // namespace outbox::test
