// Databases that are not UTF-8, as operators meet them.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/postgresql_server.h"

namespace outbox::test {
namespace {

std::string database_of(const std::string& encoding) {
  std::string url = PostgresqlServer::shared().new_database(
      "ENCODING '" + encoding + "' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
  const Finished made = outboxd({"migrate", "up", "--db", url});
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
  return url;
}

bool has_dead_letter(const Json& status) {
  return route_of(status).is_object() && route_of(status)["held"]["dead"] == 1;
}

/// One dead letter for this reason, all others sent; every command works. `bad`: topic and key.
void check_one_dead(const std::string& encoding, const std::string& bad, const std::string& reason) {
  const std::string url = database_of(encoding);
  const TempDir directory;
  const std::string path = directory / "out.ndjson";
  Outboxd relay(config_of(url, "file:" + path));
  relay.start();
  const Sql sql(url);
  sql.run("SET client_encoding = '" + encoding + "'");
  sql.run("INSERT INTO outbox (topic, payload) VALUES ('a', '1')");
  sql.run("INSERT INTO outbox (topic, message_key, payload) VALUES (" + bad + ", '2')");
  sql.run("INSERT INTO outbox (topic, payload) VALUES ('c', '3')");
  CHECK(eventually([&] { return complete_events(path).size() == 2; }));
  CHECK_FALSE(relay.status_when(has_dead_letter).is_null());
  CHECK_MESSAGE(relay.log().find(reason) != std::string::npos, relay.log());
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"held", "list"}, {"held", "show", "main:2"}}) {
    const Finished done = relay.command(command);
    CAPTURE(done.output);
    CHECK(done.exit_code == 0);
    CHECK(done.output.find("dead") != std::string::npos);
  }
  const Finished checked = relay.command({"check"});
  CHECK(checked.output.find("encoding is " + encoding) != std::string::npos);
  const Finished again = relay.command({"held", "requeue", "--route", "main", "--seq", "2"});
  CHECK_MESSAGE(again.exit_code == 0, again.output);
  CHECK_FALSE(relay.status_when(has_dead_letter).is_null());
  const Finished gone = relay.command({"held", "discard", "--route", "main", "--seq", "2"});
  CHECK_MESSAGE(gone.exit_code == 0, gone.output);
  CHECK(relay.is_running());
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("PostgreSQL: a text that cannot be converted is one dead letter, and nothing stops") {
  check_one_dead("WIN1252", "'b', convert_from('\\x6b81', 'WIN1252')",
                 "column message_key cannot be converted");
}

TEST_CASE(
    "PostgreSQL: a text of SQL_ASCII that is no UTF-8 is one dead letter where the protocol demands it") {
  check_one_dead("SQL_ASCII", "E'k\\xff', 'k'", "topic is not UTF-8");
}

TEST_CASE("PostgreSQL: a topic that the database cannot write is named, and other routes go on") {
  const std::string url = database_of("WIN1252");
  const TempDir directory;
  RelayConfig config = config_of(url, "file:" + (directory / "out.ndjson"));
  config.routes.front().more = "topics = [\"a*\"]";
  config.routes.push_back({"other", "null:", "topics = [\"\u0437\u0430\u043a\u0430\u0437.*\"]"});
  Outboxd relay(config);
  relay.start();
  Sql(url).run("INSERT INTO outbox (topic, payload) VALUES ('a', '1')");
  CHECK(eventually([&] { return complete_events(directory / "out.ndjson").size() == 1; }));
  CHECK(relay.logs("cannot be written in the database's encoding, WIN1252"));
  CHECK_FALSE(relay
                  .status_when([](const Json& status) {
                    return is_in_state(status, "misconfigured", "other") &&
                           !is_in_state(status, "misconfigured");
                  })
                  .is_null());
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace
}  // namespace outbox::test
