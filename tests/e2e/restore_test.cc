// A database that was dumped and restored on another server, or whose contents are exchanged: what the relay
// does with marks that say nothing any more.
#include <doctest/doctest.h>
#include <signal.h>

#include <map>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/postgresql_server.h"
#include "tests/support/process.h"

namespace outbox::test {
namespace {

/// How often each message is in the file, by id.
std::map<std::string, int> arrivals(const std::string& path) {
  std::map<std::string, int> result;
  for (const Received& message : complete_events(path)) ++result[message.id()];
  return result;
}

std::string restored(const std::string& from, PostgresqlServer& server) {
  std::string to = server.new_database();
  const Finished copied = run(
      {"bash", "-c", "set -o pipefail; pg_dump '" + from + "' | psql -Xq -v ON_ERROR_STOP=1 '" + to + "'"});
  REQUIRE_MESSAGE(copied.exit_code == 0, copied.output);
  return to;
}

TEST_CASE("PostgreSQL: after a restore on another server nothing is sent before an operator has decided") {
  PostgresqlShop shop;
  const TempDir directory;
  const std::string path = directory / "out.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.start();
  shop.order(10);
  REQUIRE(eventually([&] { return arrivals(path).size() == 10; }));
  REQUIRE(relay.stop(SIGTERM) == 0);
  shop.order(5);  // are in the dump, and nobody has sent them

  PostgresqlServer elsewhere;
  const std::string url = restored(shop.url(), elsewhere);
  relay.config.database = url;
  relay.write_config();
  relay.start();
  CHECK(relay.logs("outboxd mark rebase --from"));
  const Json waiting = relay.status_when(
      [](const Json& status) { return reasons_of(status).find("mark rebase") != std::string::npos; });
  CHECK(is_in_state(waiting, "misconfigured"));
  const Finished check = relay.command({"check"});
  CHECK(check.exit_code != 0);
  CHECK(check.output.find("outboxd mark rebase") != std::string::npos);
  CHECK(arrivals(path).size() == 10);

  const std::string first_unsent = Sql(url).run("SELECT seq FROM outbox ORDER BY seq OFFSET 10 LIMIT 1");
  const Finished decided = relay.command({"mark", "rebase", "--from", first_unsent});
  REQUIRE_MESSAGE(decided.exit_code == 0, decided.output);
  CHECK(eventually([&] { return arrivals(path).size() == 15; }));
  Sql(url).run("INSERT INTO outbox (topic, payload) VALUES ('orders', 'after')");
  CHECK(eventually([&] { return arrivals(path).size() == 16; }));
  for (const auto& [id, times] : arrivals(path)) CHECK_MESSAGE(times == 1, id);
  CHECK(relay.command({"check"}).exit_code == 0);
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("PostgreSQL: rows restored without their triggers are dead letters, and a requeue sends them") {
  PostgresqlShop shop;
  const TempDir directory;
  const std::string path = directory / "out.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  shop.order(3);
  shop.execute(untriggered("UPDATE outbox SET tx = '900000000' WHERE seq IN (1, 2)"));
  relay.start();
  CHECK(relay.logs("rows.dead"));
  CHECK(relay.logs("a transaction that this server has not had"));
  CHECK(eventually([&] {
    return shop.states("main") == std::map<std::string, long>{{"dead", 2}, {"sent", 1}};
  }));
  const Json held = relay.status_when([](const Json& status) {
    return route_of(status).is_object() && route_of(status)["held"]["dead"] == 2;
  });
  CHECK_FALSE(held.is_null());
  const Finished requeued = relay.command({"held", "requeue", "--route", "main", "--all"});
  CHECK_MESSAGE(requeued.exit_code == 0, requeued.output);
  CHECK(shop.all_sent(3));
  CHECK(relay.stop(SIGTERM) == 0);
  relay.start();
  shop.order(1);
  CHECK(shop.all_sent(4));
  for (const auto& [id, times] : arrivals(path)) CHECK_MESSAGE(times == 1, id);
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("SQLite: numbers that begin anew under a running relay lose no row, and the log says so") {
  SqliteShop shop;
  const TempDir directory;
  const std::string path = directory / "out.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.start();
  shop.order(10);
  REQUIRE(eventually([&] { return arrivals(path).size() == 10; }));
  REQUIRE(shop.all_sent(10));
  shop.execute("DELETE FROM outbox; DELETE FROM sqlite_sequence");
  shop.order(3);
  CHECK(eventually([&] { return arrivals(path).size() == 13; }));
  CHECK(relay.logs("mark.reset"));
  shop.order(20);
  CHECK(eventually([&] { return arrivals(path).size() == 33; }));
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace
}  // namespace outbox::test
