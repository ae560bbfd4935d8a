// Tables that are missing or of the wrong shape, rights that are missing: `check` and `run` name them and the
// fix, and the relay goes on by itself once it is done.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

struct Damage {
  std::string breaks, repairs;    ///< SQL, by the owner
  std::vector<std::string> told;  ///< by check, by /status and by run --once
};

void check_fault(Shop& shop, const std::string& url, const Damage& fault) {
  CAPTURE(fault.breaks);
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  Outboxd relay(config_of(url, "file:" + path));
  relay.config.drain_timeout = "1s";
  relay.write_config();
  shop.execute(fault.breaks);
  const auto tells = [&](const std::string& text) {
    for (const std::string& word : fault.told)
      CHECK_MESSAGE(text.find(word) != std::string::npos, word, " in ", text);
  };

  const Finished check = relay.command({"check"});
  CHECK_MESSAGE(check.exit_code == 78, check.output);
  tells(check.output);
  CHECK(check.output.find("; fix: ") != std::string::npos);

  const Finished once = relay.command({"run", "--once"});
  CHECK_MESSAGE(once.exit_code == 1, once.output);
  tells(once.output);

  relay.start();
  const Json wrong =
      relay.status_when([](const Json& status) { return is_in_state(status, "misconfigured"); });
  CHECK_MESSAGE(is_in_state(wrong, "misconfigured"), wrong.dump(2));
  tells(reasons_of(wrong));
  CHECK(wrong.at("state") == "degraded");
  CHECK(relay.get("/livez") == 200);

  shop.execute(fault.repairs);
  shop.order(3);
  CHECK(eventually([&] { return read_event_lines(read_file(path)).size() == 3; }, patience));
  CHECK(relay.stop(SIGTERM) == 0);
  const Finished repaired = relay.command({"check"});
  CHECK_MESSAGE(repaired.exit_code == 0, repaired.output);
}

}  // namespace

TEST_CASE("PostgreSQL: a missing right is named with its GRANT") {
  PostgresqlShop shop;
  shop.execute("CREATE ROLE shop_service");
  shop.execute("CREATE ROLE shop_relay LOGIN");
  PostgresqlServer::shared().run_file(shop.url(),
                                      std::string(OUTBOX_SOURCE_DIR) + "/schema/postgresql/grants.sql",
                                      {"service=shop_service", "relay=shop_relay"});
  shop.execute("GRANT SELECT ON outbox_migration TO shop_relay");
  const std::string url = "postgresql://shop_relay" + shop.url().substr(shop.url().find('@'));
  SUBCASE("SELECT on the outbox") {
    check_fault(shop, url,
                {"REVOKE SELECT ON outbox FROM shop_relay",
                 "GRANT SELECT ON outbox TO shop_relay",
                 {"shop_relay has no right to SELECT on", "outbox", "GRANT SELECT ON"}});
  }
  SUBCASE("UPDATE on the marks") {
    check_fault(shop, url,
                {"REVOKE UPDATE ON outbox_mark FROM shop_relay",
                 "GRANT UPDATE ON outbox_mark TO shop_relay",
                 {"shop_relay has no right to UPDATE on", "outbox_mark", "GRANT UPDATE ON"}});
  }
  shop.execute("DROP OWNED BY shop_relay, shop_service");
  shop.execute("DROP ROLE shop_relay, shop_service");
}

TEST_CASE("PostgreSQL: a missing column is named") {
  PostgresqlShop shop;
  check_fault(shop, shop.url(),
              {"ALTER TABLE outbox DROP COLUMN headers",
               "ALTER TABLE outbox ADD COLUMN headers jsonb NOT NULL DEFAULT '{}'",
               {"outbox.headers is missing"}});
}

TEST_CASE("PostgreSQL: a column of another type is named with both types") {
  PostgresqlShop shop;
  check_fault(shop, shop.url(),
              {"ALTER TABLE outbox ALTER COLUMN headers DROP DEFAULT, ALTER COLUMN headers TYPE text",
               "ALTER TABLE outbox ALTER COLUMN headers TYPE jsonb USING headers::jsonb, "
               "ALTER COLUMN headers SET DEFAULT '{}'",
               {"outbox.headers is text, must be jsonb", "ALTER TABLE"}});
}

TEST_CASE("PostgreSQL: a missing table is named with the command that makes it") {
  PostgresqlShop shop;
  check_fault(shop, shop.url(),
              {"ALTER TABLE outbox RENAME TO elsewhere",
               "ALTER TABLE elsewhere RENAME TO outbox",
               {"does not exist, or this role may not use its schema", "outboxd migrate up"}});
}

TEST_CASE("SQLite: a missing column is named") {
  SqliteShop shop;
  check_fault(shop, shop.url(),
              {"ALTER TABLE outbox DROP COLUMN headers",
               "ALTER TABLE outbox ADD COLUMN headers TEXT NOT NULL DEFAULT '{}'",
               {"outbox", "has no column headers"}});
}

TEST_CASE("SQLite: a missing table is named with the command that makes it") {
  SqliteShop shop;
  check_fault(shop, shop.url(),
              {"ALTER TABLE outbox RENAME TO elsewhere",
               "ALTER TABLE elsewhere RENAME TO outbox",
               {"outbox", "is missing", "outboxd migrate up"}});
}

}  // namespace outbox::test
