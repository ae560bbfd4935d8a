// What operators do to a relay at work and to its held rows: on the command line, over HTTP, on both
// databases.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <memory>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/unit/http_client.h"

namespace outbox::test {
namespace {

constexpr const char* token = "0perators-only";

using States = std::map<std::string, long>;

/// A shop whose relay writes to a file.
struct Stage {
  Stage(std::unique_ptr<Shop> made, std::string audit, const std::string& given_token = token)
      : shop(std::move(made)), audit_sql(std::move(audit)), relay(config_with(*shop, path, given_token)) {}

  static RelayConfig config_with(const Shop& shop, const std::string& path, const std::string& given_token) {
    RelayConfig config = config_of(shop.url(), "file:" + path);
    config.token = given_token;
    return config;
  }

  /// A row that no protocol can carry: its headers are no object of strings.
  std::string insert_poison(const std::string& key) {
    return shop->insert({.key = key, .headers = R"({"a":1})"});
  }
  std::string seq_of(const std::string& id) {
    return shop->ask("SELECT seq FROM outbox WHERE id = '" + id + "'");
  }
  void mend(const std::string& id) {
    shop->execute("UPDATE outbox SET headers = '{}' WHERE id = '" + id + "'");
  }

  [[nodiscard]] long arrivals(const std::string& id) const {
    const auto lines = complete_events(path);
    return std::ranges::count_if(lines, [&](const Received& message) { return message.id() == id; });
  }
  [[nodiscard]] bool arrives(const std::string& id, long times = 1) const {
    return eventually([&] { return arrivals(id) == times; });
  }
  [[nodiscard]] bool has(const States& wanted) {
    return eventually([&] { return shop->states() == wanted; });
  }
  [[nodiscard]] bool is(const std::string& state) const {
    const auto wanted = [&](const Json& status) { return is_in_state(status, state); };
    return is_in_state(relay.status_when(wanted), state);
  }
  /// "action route" per line of outbox_audit whose actor begins so.
  [[nodiscard]] std::string audit(const std::string& actor) {
    std::string sql = audit_sql;
    sql.replace(sql.find("ACTOR"), 5, actor);
    return shop->ask(sql);
  }
  [[nodiscard]] Json command(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const Finished finished = relay.command(arguments);
    REQUIRE_MESSAGE(finished.exit_code == 0, finished.output);
    return Json::parse(finished.output);
  }
  [[nodiscard]] HttpAnswer post(const std::string& route, const std::string& body = "",
                                const std::string& given_token = token) const {
    return HttpClient(relay.port())
        .ask("POST " + route + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + given_token +
             "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n\r\n" + body);
  }
  [[nodiscard]] Json changed(const std::string& route, const std::string& body) const {
    const HttpAnswer answer = post(route, body);
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return Json::parse(answer.body);
  }

  TempDir directory;
  std::string path = directory / "events.ndjson";
  std::unique_ptr<Shop> shop;
  std::string audit_sql;
  Outboxd relay;
};

Stage postgresql_stage(const std::string& given_token = token) {
  return {std::make_unique<PostgresqlShop>(),
          "SELECT string_agg(action || ' ' || coalesce(route, '*'), ', ' ORDER BY seq) FROM outbox_audit "
          "WHERE actor "
          "LIKE 'ACTOR%'",
          given_token};
}

Stage sqlite_stage(const std::string& given_token = token) {
  auto shop = std::make_unique<SqliteShop>();
  const std::string books = shop->path() + ".outboxd";
  return {std::move(shop),
          "ATTACH '" + books +
              "' AS books; SELECT group_concat(line, ', ') FROM (SELECT action || ' ' || coalesce(route, "
              "'*') AS line "
              "FROM books.outbox_audit WHERE actor LIKE 'ACTOR%' ORDER BY seq)",
          given_token};
}

void check_dead_letters(Stage stage) {
  stage.relay.start();
  const std::string poison = stage.insert_poison("a");
  const std::string behind = stage.shop->insert({.key = "a"});
  const std::string hopeless = stage.insert_poison("b");
  REQUIRE(stage.has({{"dead", 2}, {"sent", 1}}));
  CHECK(stage.arrives(behind));

  // Listed and shown, the same on the command line and over HTTP.
  const Json listed = stage.command({"held", "list", "--state", "dead"});
  REQUIRE(listed["held"].size() == 2);
  CHECK(listed["held"][0]["id"] == poison);
  CHECK(listed["held"][0]["last_error"].get<std::string>().find("headers") != std::string::npos);
  CHECK(Json::parse(stage.relay.body("/v1/held?state=dead"))["held"] == listed["held"]);
  const Json shown = stage.command({"held", "show", poison, "--payload"});
  CHECK(shown["held"][0]["state"] == "dead");
  CHECK(shown["message"]["payload"] == "{}");
  CHECK(Json::parse(stage.relay.body("/v1/held/main/" + stage.seq_of(poison) + "?payload=1"))["message"] ==
        shown["message"]);
  CHECK(Json::parse(stage.relay.body("/v1/messages/" + poison))["routes"][0]["state"] == "dead");

  // A dry run changes nothing and leaves no line.
  const std::string both = R"({"route":"main","filter":{"state":"dead"})";
  CHECK(stage.changed("/v1/held/discard", both + R"(,"dry_run":true})") ==
        Json{{"matched", 2}, {"changed", 0}});
  CHECK(stage.command({"held", "requeue", "--all", "--dry-run"}) == Json{{"matched", 2}, {"changed", 0}});
  CHECK(stage.shop->states() == States{{"dead", 2}, {"sent", 1}});
  CHECK(stage.audit("") == "");

  // Mended and requeued it is delivered; discarded it never is, not by the next run either.
  stage.mend(poison);
  CHECK(stage.changed("/v1/held/requeue", R"({"route":"main","seqs":[)" + stage.seq_of(poison) + "]}") ==
        Json{{"matched", 1}, {"changed", 1}});
  CHECK(stage.arrives(poison));
  CHECK(stage.has({{"dead", 1}, {"sent", 2}}));
  CHECK(stage.relay.stop(SIGTERM) == 0);
  CHECK(stage.command({"held", "discard", "--key", "b"}) == Json{{"matched", 1}, {"changed", 1}});
  stage.mend(hopeless);
  stage.relay.start();
  const std::string last = stage.shop->insert({.key = "b"});
  CHECK(stage.arrives(last));
  CHECK(stage.arrivals(hopeless) == 0);
  CHECK(stage.command({"held", "list"})["held"].empty());
  CHECK(stage.audit("http:127.0.0.1") == "requeue main");
  CHECK(stage.audit("cli:") == "discard *");
  CHECK(stage.relay.stop(SIGTERM) == 0);
}

void check_pause(Stage stage) {
  stage.relay.start();
  CHECK(stage.arrives(stage.shop->insert({.key = "a"})));
  CHECK(stage.post("/v1/routes/main/pause").status == 200);
  REQUIRE(stage.is("paused"));
  CHECK(stage.relay.stop(SIGTERM) == 0);
  stage.relay.start();
  REQUIRE(stage.is("paused"));
  const std::string waiting = stage.shop->insert({.key = "a"});
  CHECK(stage.has({{"pending", 1}, {"sent", 1}}));
  CHECK(stage.arrivals(waiting) == 0);
  CHECK(stage.post("/v1/routes/main/resume").status == 200);
  CHECK(stage.arrives(waiting));
  CHECK(stage.post("/v1/routes/other/pause").status == 404);
  CHECK(stage.audit("http:127.0.0.1") == "pause main, resume main");
  CHECK(stage.relay.stop(SIGTERM) == 0);
}

void check_replay(Stage stage) {
  stage.relay.start();
  std::vector<std::string> ids;
  for (int row = 0; row < 5; ++row) ids.push_back(stage.shop->insert({.key = "a"}));
  REQUIRE(stage.has({{"sent", 5}}));
  const std::string third = stage.seq_of(ids[2]);
  const Finished dry = stage.relay.command({"replay", "--route", "main", "--from", third, "--dry-run"});
  CHECK(dry.exit_code == 0);
  CHECK(dry.output.find("3 retained rows would go out again; nothing was changed") != std::string::npos);
  CHECK(stage.changed("/v1/routes/main/replay", R"({"from_seq":)" + third + R"(,"dry_run":true})") ==
        Json{{"matched", 3}, {"changed", 0}});
  CHECK(stage.audit("") == "");

  CHECK(stage.changed("/v1/routes/main/replay", R"({"from_seq":)" + third + "}")["matched"] == 3);
  CHECK(stage.arrives(ids[4], 2));
  const Finished oldest = stage.relay.command({"replay", "--route", "main", "--from", "oldest"});
  CHECK_MESSAGE(oldest.exit_code == 0, oldest.output);
  CHECK(stage.arrives(ids[4], 3));
  CHECK(stage.arrivals(ids[0]) == 2);
  CHECK(stage.has({{"sent", 5}}));
  CHECK(stage.audit("http:127.0.0.1") == "replay main");
  CHECK(stage.audit("cli:") == "replay main");
  CHECK(stage.relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("PostgreSQL: a dead letter is listed, shown, requeued or discarded, and that is recorded") {
  check_dead_letters(postgresql_stage());
}

TEST_CASE("SQLite: a dead letter is listed, shown, requeued or discarded, and that is recorded") {
  check_dead_letters(sqlite_stage());
}

TEST_CASE("PostgreSQL: a pause over HTTP survives a restart") {
  check_pause(postgresql_stage());
}

TEST_CASE("SQLite: a pause over HTTP survives a restart") {
  check_pause(sqlite_stage());
}

TEST_CASE("PostgreSQL: a replay delivers again from a place on, with the same ids") {
  check_replay(postgresql_stage());
}

TEST_CASE("SQLite: a replay delivers again from a place on, with the same ids") {
  check_replay(sqlite_stage());
}

TEST_CASE("nobody changes anything over HTTP without the token, and nobody at all where there is none") {
  const std::vector<std::string> mutations = {"/v1/held/requeue", "/v1/held/discard", "/v1/routes/main/pause",
                                              "/v1/routes/main/replay", "/v1/reload"};
  Stage guarded = sqlite_stage();
  guarded.relay.start();
  REQUIRE(guarded.is("running"));
  for (const std::string& path : mutations) {
    CHECK(guarded.post(path, "{}", "wrong").status == 401);
    CHECK(guarded.relay.get(path) == 405);
  }
  CHECK(HttpClient(guarded.relay.port()).get("/v1/held").status == 403);  // its Host is x
  Stage open = sqlite_stage("");
  open.relay.start();
  REQUIRE(open.is("running"));
  for (const std::string& path : mutations) CHECK(open.post(path, "{}").status == 404);
  CHECK(open.relay.get("/v1/held") == 200);
  CHECK(guarded.audit("") == "");
  CHECK(open.audit("") == "");
}

void check_reload(Stage stage) {
  stage.relay.start();
  REQUIRE(stage.is("running"));
  const std::string moved = stage.directory / "moved.ndjson";
  stage.relay.config.routes[0].to = "file:" + moved;
  stage.relay.write_config();
  CHECK(stage.post("/v1/reload").status == 200);
  CHECK(stage.relay.logs("config.reloaded"));
  CHECK(stage.audit("http:127.0.0.1") == "reload *");
  stage.path = moved;
  CHECK(stage.arrives(stage.shop->insert({.key = "a"})));
  stage.relay.write_config("nonsense");
  const HttpAnswer refused = stage.post("/v1/reload");
  CHECK(refused.status == 409);
  CHECK(refused.body.find("going on with the configuration as it was") != std::string::npos);
  CHECK(stage.arrives(stage.shop->insert({.key = "a"})));
  CHECK(eventually([&] { return stage.relay.metric("outbox_config_reload_success") == 0; }));
}

TEST_CASE("PostgreSQL: a reload over HTTP takes the new configuration, or says why not") {
  check_reload(postgresql_stage());
}

TEST_CASE("SQLite: a reload over HTTP takes the new configuration, or says why not") {
  check_reload(sqlite_stage());
}

}  // namespace outbox::test
