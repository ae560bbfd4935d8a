#include "cli/cli.h"

#include <doctest/doctest.h>

#include <array>
#include <sstream>

#include "cli/text.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/cli_fixture.h"

#include <nlohmann/json.hpp>

using namespace outbox;
using namespace outbox::test;

namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::vector<std::string> database = {"--db", "fake:shop"};

/// `check` of one route that takes these topics.
Ran check_of_topics(FakeDatabase& fake, const std::string& topics) {
  const TempDir directory;
  const std::string file = directory / "outboxd.toml";
  std::ofstream(file) << "[[route]]\nname = 'orders'\nto = 'fakes:b'\ntopics = [" << topics << "]\n";
  return outboxd({"check", "--db", "fake:x", "--config", file}, {.database = &fake});
}

}  // namespace

TEST_CASE("help is given on the output and is a success") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"run", "--help"},
                                             {"migrate", "--help"},
                                             {"migrate", "up", "--help"},
                                             {"migrate", "down", "--help"},
                                             {"migrate", "status", "--help"},
                                             {"migrate", "print", "--help"},
                                             {"check", "--help"},
                                             {"send", "--help"},
                                             {"status", "--help"},
                                             {"healthcheck", "--help"},
                                             {"pause", "--help"},
                                             {"resume", "--help"},
                                             {"held", "--help"},
                                             {"held", "list", "--help"},
                                             {"held", "show", "--help"},
                                             {"held", "requeue", "--help"},
                                             {"held", "discard", "--help"},
                                             {"replay", "--help"},
                                             {"mark", "rebase", "--help"},
                                             {"version", "--help"}}) {
    const Ran ran = outboxd(arguments);
    CAPTURE(arguments.front());
    CHECK(ran.code == 0);
    CHECK(holds(ran.out, "Usage: outboxd"));
    CHECK(ran.err == "");
  }
  CHECK(holds(outboxd({"run", "--help"}).out, "--config"));
  CHECK(holds(outboxd({"run", "--help"}).out, "--once"));
}

TEST_CASE("wrong usage is told with a suggestion and exit code 2") {
  const Ran command = outboxd({"rnu"});
  CHECK(command.code == 2);
  CHECK(command.out == "");
  CHECK(holds(command.err, "unknown command or argument rnu, did you mean run?"));
  CHECK(holds(command.err, "Try: outboxd --help"));

  const Ran option = outboxd({"run", "--ocne"});
  CHECK(option.code == 2);
  CHECK(holds(option.err, "unknown option --ocne, did you mean --once?"));
  CHECK(holds(outboxd({"send", "--paylod", "x"}).err, "unknown option --paylod, did you mean --payload?"));
  CHECK(holds(option.err, "Try: outboxd run --help"));

  CHECK(outboxd({}).code == 2);
  CHECK(outboxd({"migrate"}).code == 2);
  CHECK(holds(outboxd({"migrate", "upp"}).err, "did you mean up?"));
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t"}).code == 2);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload", "a", "-"}).code == 2);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload", "a", "--id", "7"}).code == 2);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload", "a", "--deliver-at", "soon"}).code ==
        2);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload", "a", "--header", "novalue"}).code ==
        2);
  CHECK(outboxd({"run", "--set", "novalue"}).code == 2);
  CHECK(outboxd({"run", "extra"}).code == 2);
}

TEST_CASE("run hands the loaded configuration to the relay and answers its code") {
  const Ran ran = outboxd(
      {"run", "--db", "fake:shop", "--to", "fakes:b", "--once", "--set", "relay.window=7"}, {.relay = false});
  CHECK(ran.code == 1);
  REQUIRE(ran.relay);
  CHECK(ran.relay->database_url == "fake:shop");
  CHECK(ran.relay->routes.at(0).to == "fakes:b");
  CHECK(ran.relay->window == 7);
  CHECK(ran.once);
}

TEST_CASE("a wrong configuration is told completely and the relay does not start") {
  const Ran ran = outboxd({"run", "--to", "carrier-pigeon://h"},
                          {.environment = {{"OUTBOXD_RELAY_WINDOW", "0"}, {"OUTBOXD_WINDOW", "1"}}});
  CHECK(ran.code == 78);
  CHECK_FALSE(ran.relay);
  CHECK(holds(ran.err, "environment: OUTBOXD_RELAY_WINDOW: is 0"));
  CHECK(holds(ran.err, "environment: OUTBOXD_WINDOW: unknown variable"));
  CHECK(holds(ran.err, "--to: has the unknown scheme \"carrier-pigeon\""));
  CHECK(holds(ran.err, "database.url: is missing"));
}

TEST_CASE("OUTBOXD_CONFIG names the file, --config overrides it") {
  const TempDir folder;
  const std::string path = folder / "o.toml";
  std::ofstream(path) << "[database]\nurl = \"fake:a\"\n[[route]]\nto = \"fakes:b\"\n";
  CHECK(outboxd({"run"}, {.environment = {{"OUTBOXD_CONFIG", path}}}).relay->database_url == "fake:a");
  CHECK(outboxd({"run", "--config", folder / "none"}, {.environment = {{"OUTBOXD_CONFIG", path}}}).code ==
        78);
}

TEST_CASE("send inserts the row as given, byte for byte") {
  FakeDatabase fake;
  const Ran ran = outboxd({"send", "--db", "fake:x", "--topic", "t", "--key", "k", "--type", "T", "--header",
                           "a=1=2", "--header", "b=", "--id", "9F1C2B7E-5D3A-4C1B-8E2F-0A1B2C3D4E5F",
                           "--deliver-at", "2026-01-31T10:00:00Z", "--payload", "[1,2]"},
                          {.database = &fake});
  CHECK(ran.err == "");
  CHECK(ran.code == 0);
  CHECK(ran.out == "9f1c2b7e-5d3a-4c1b-8e2f-0a1b2c3d4e5f\n");
  REQUIRE(fake.sent.size() == 1);
  CHECK(fake.sent[0].topic == "t");
  CHECK(fake.sent[0].key == "k");
  CHECK(fake.sent[0].type == "T");
  CHECK(fake.sent[0].payload == "[1,2]");
  CHECK(fake.sent[0].headers == std::vector<std::pair<std::string, std::string>>{{"a", "1=2"}, {"b", ""}});
  CHECK(fake.sent[0].deliver_at == "2026-01-31T10:00:00Z");
  CHECK(fake.sent[0].content_type == "application/json");
}

TEST_CASE("a payload may be anything that a command line, a file or the input can hold") {
  FakeDatabase fake;
  for (const std::string payload : {"", "-", "--x", "{}", "[]", "\"q\"", "'q'", "a b", "%%", "a,b", "\\n"}) {
    CAPTURE(payload);
    fake.sent.clear();
    CHECK(
        outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload", payload}, {.database = &fake}).code ==
        0);
    REQUIRE(fake.sent.size() == 1);
    CHECK(fake.sent[0].payload == payload);
    CHECK_FALSE(fake.sent[0].key);
  }
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const TempDir folder;
  std::ofstream(folder / "p", std::ios::binary) << every_byte;
  CHECK(
      outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload-file", folder / "p"}, {.database = &fake})
          .code == 0);
  CHECK(fake.sent.back().payload == every_byte);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "-"}, {.database = &fake, .input = every_byte})
            .code == 0);
  CHECK(fake.sent.back().payload == every_byte);
  CHECK(outboxd({"send", "--db", "fake:x", "--topic", "t", "--payload-file", folder / "none"},
                {.database = &fake})
            .code == 1);
}

TEST_CASE("migrations are applied in order, shown, and reverted one at a time") {
  FakeDatabase fake;
  CHECK(outboxd({"migrate", "status", "--db", "fake:x"}, {.database = &fake}).out ==
        "MIGRATION    STATE    APPLIED AT\n0001_outbox  pending\n0002_more    pending\n");
  CHECK(outboxd({"migrate", "up", "--db", "fake:x"}, {.database = &fake}).out ==
        "0001_outbox applied\n0002_more applied\n");
  CHECK(outboxd({"migrate", "up", "--db", "fake:x"}, {.database = &fake}).out ==
        "nothing to do: 2 of 2 applied\n");
  CHECK(holds(outboxd({"migrate", "status", "--db", "fake:x"}, {.database = &fake}).out,
              "0002_more    applied  2026"));
  CHECK(outboxd({"migrate", "down", "--db", "fake:x"}, {.database = &fake}).out == "0002_more reverted\n");

  fake.unsent = true;
  const Ran refused = outboxd({"migrate", "down", "--db", "fake:x"}, {.database = &fake});
  CHECK(refused.code == 1);
  CHECK(holds(refused.err, "unsent"));
  CHECK(outboxd({"migrate", "down", "--force", "--db", "fake:x"}, {.database = &fake}).code == 0);
  CHECK(outboxd({"migrate", "down", "--db", "fake:x"}, {.database = &fake}).out ==
        "nothing to do: none applied\n");
}

TEST_CASE("a migration that changed after it was applied stops everything") {
  FakeDatabase fake;
  fake.applied = {{1, "outbox", "other", "2026-01-01T00:00:00Z"}, {9, "future", "x", "2026-01-01T00:00:00Z"}};
  for (const char* step : {"up", "down", "status"}) {
    const Ran ran = outboxd({"migrate", step, "--db", "fake:x"}, {.database = &fake});
    CHECK(ran.code == 1);
    CHECK(holds(ran.err, "0001_outbox was applied with another content"));
    CHECK(holds(ran.err, "0009_future was applied by a newer outboxd"));
  }
  CHECK(fake.applied.size() == 2);
}

TEST_CASE("the SQL is printed without any database") {
  const Ran up = outboxd({"migrate", "print", "--dialect", "fake"});
  CHECK(up.code == 0);
  CHECK(up.out == "-- 0001_outbox.up.sql\nCREATE 1;\n-- 0002_more.up.sql\nCREATE 2;\n");
  CHECK(outboxd({"migrate", "print", "--down", "--db", "fake:x"}).out ==
        "-- 0002_more.down.sql\nDROP 2;\n-- 0001_outbox.down.sql\nDROP 1;\n");
  CHECK(outboxd({"migrate", "print", "--dialect", "oracle"}).code == 2);
}

TEST_CASE("a database that is not there is exit code 69 for every command that needs one") {
  FakeDatabase fake;
  fake.error = Error{Fault::unavailable, "fake: connection refused (shop)"};
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"migrate", "up"},
                                             {"migrate", "status"},
                                             {"pause"},
                                             {"held", "list"},
                                             {"held", "show", "7"},
                                             {"held", "requeue", "--all"},
                                             {"held", "discard", "--seq", "7"},
                                             {"mark", "rebase", "--from", "now"},
                                             {"send", "--topic", "t", "--payload", "x"},
                                             {"status", "--listen", ""}}) {
    auto all = arguments;
    all.insert(all.end(), database.begin(), database.end());
    const Ran ran = outboxd(all, {.database = &fake});
    CAPTURE(arguments.front());
    CHECK(ran.code == 69);
    CHECK(holds(ran.err, "fake: connection refused (shop)"));
  }
}

TEST_CASE("check has a line for everything, and the exit code of the worst") {
  FakeDatabase fake;
  const std::vector<std::string> arguments = {"check", "--db", "fake:x", "--to", "fakes:b"};
  const Ran fine = outboxd(arguments, {.database = &fake});
  CHECK(fine.code == 0);
  CHECK(
      fine.out ==
      "ok       configuration\nok       database (fake:***): table outbox\nok       route main (fakes:***): "
      "connected\n");

  const Ran down = outboxd({"check", "--db", "fake:x", "--to", "fakes:down"}, {.database = &fake});
  CHECK(down.code == 69);
  CHECK(holds(down.out, "fault    route main (fakes:***): refused; fix: "));
  CHECK(outboxd({"check", "--db", "fake:x", "--to", "fakes:silent", "--timeout", "20ms"}, {.database = &fake})
            .code == 69);

  fake.findings = {{Finding::Level::fault, "column tx is missing", "outboxd migrate up"}};
  const Ran wrong = outboxd({"check", "--db", "fake:x", "--to", "fakes:down"}, {.database = &fake});
  CHECK(wrong.code == 78);
  CHECK(holds(wrong.out, "fault    database (fake:***): column tx is missing; fix: outboxd migrate up\n"));
  CHECK(outboxd({"check", "--to", "fakes:b"}, {.database = &fake}).code == 78);
  CHECK(holds(outboxd({"check", "--defaults"}).out, "[relay]"));
}

TEST_CASE("check asks a broker about the topics that its route names in full") {
  FakeDatabase fake;
  const Ran ran = check_of_topics(fake, "'order.*', 'cart'");
  CHECK(ran.code == 0);
  CHECK(holds(ran.out,
              "ok       route orders (fakes:***): connected\n"
              "warning  route orders (fakes:***): topic cart is in memory only; fix: keep it on disk\n"));
  CHECK(!holds(ran.out, "order."));
  CHECK(!holds(outboxd({"check", "--db", "fake:x", "--to", "fakes:down"}, {.database = &fake}).out, "topic"));
}

TEST_CASE("check and status name the topics that rows wait for, also where no relay runs") {
  FakeDatabase fake;
  fake.marks = {{"orders", 0, "", 1}};
  fake.waiting_topics["orders"] = {{"bad", "no such topic", std::chrono::seconds(90), 3}};
  const Ran ran = check_of_topics(fake, "'*'");
  CHECK(ran.code == 0);
  CHECK(holds(
      ran.out,
      "warning  database (fake:***): route orders: topic bad: no such topic; 3 rows wait for it, the first "
      "one for 1 min 30 s; fix: mend it at the broker: they go out by themselves; or give them up: outboxd "
      "held discard --route orders --topic TOPIC\n"));
  CHECK(holds(outboxd({"status", "--db", "fake:x"}, {.database = &fake}).out,
              "orders: topic bad: no such topic; 3 rows wait for it\n"));
}

TEST_CASE("check warns of patterns that mean something elsewhere") {
  FakeDatabase fake;
  const Ran ran = check_of_topics(fake, "'order.>', 'cart.*'");
  CHECK(ran.code == 0);
  CHECK(holds(
      ran.out,
      "warning  route orders (fakes:***): topics: in 'order.>' the '>' stands for itself: only '*' is a "
      "wildcard, for any run of characters; fix: "));
  CHECK(!holds(ran.out, "cart.*"));
}

TEST_CASE("check warns of a login that leaves the machine in the clear") {
  FakeDatabase fake;
  const auto check_of = [&](const std::string& database, const std::string& to) {
    return outboxd({"check", "--db", database, "--to", to}, {.database = &fake}).out;
  };
  for (const std::string scheme : {"redis", "nats", "mqtt", "kafka", "amqp"}) {
    CAPTURE(scheme);
    const std::string warning = "the login crosses the network in the clear; fix: use " +
                                (scheme == "nats" ? "tls" : scheme + "s") + "://";
    for (const char* rest : {"://u:pw@h:1", "://token@h", "://u:pw@localhost,h", "://:pw@10.0.0.1"})
      CHECK(holds(check_of("fake:x", scheme + rest), warning));
    for (const char* rest : {"://h:1", "://u:pw@localhost", "://u:pw@127.0.0.1:1,[::1]"})
      CHECK_FALSE(holds(check_of("fake:x", scheme + rest), warning));
  }
  for (const std::string url : {"rediss://u:pw@h", "tls://token@h", "https://u:pw@h/x"})
    CHECK_FALSE(holds(check_of("fake:x", url), "in the clear"));
}

TEST_CASE("check warns of a database beyond loopback that need not show who it is") {
  FakeDatabase fake;
  const auto check_of = [&](const std::string& rest) {
    return outboxd({"check", "--db", "postgresql://" + rest, "--to", "fakes:b"},
                   {.environment = {}, .database = &fake})
        .out;
  };
  const std::string fix = "fix: add sslmode=verify-full";
  for (const char* rest :
       {"u@h/d", "u@h/d?sslmode=prefer", "u@h/d?sslmode=require", "u@localhost,h/d?sslmode=verify-ca",
        "u@/d?host=h", "u@localhost/d?hostaddr=10.0.0.1"})
    CHECK_MESSAGE(holds(check_of(rest), fix), rest);
  for (const char* rest : {"u@h/d?sslmode=verify-full", "u@localhost/d", "u@127.0.0.1:1,[::1]/d",
                           "/d?host=/run/postgresql", "%2Frun%2Fpostgresql/d", "/d"})
    CHECK_MESSAGE(!holds(check_of(rest), fix), rest);
  CHECK(holds(check_of("u@h/d?sslmode=require"),
              "sslmode is require: whoever is in between can pose as the server"));
  CHECK(holds(check_of("u@h/d"), "sslmode is prefer, the default: rows and the login may cross the network"));
}

TEST_CASE("the version is told in words and as JSON") {
  const Ran text = outboxd({"version"});
  CHECK(text.code == 0);
  CHECK(text.out.starts_with("outboxd "));
  CHECK(holds(text.out, "fakes"));
  const auto json = nlohmann::json::parse(outboxd({"version", "--json"}).out);
  CHECK("outboxd " + json["version"].get<std::string>() + "\n" == outboxd({"--version"}).out);
  CHECK(json["databases"] == nlohmann::json{"fake"});
}

TEST_CASE("a status of any shape can be shown, and cannot command the terminal") {
  using Json = nlohmann::ordered_json;
  CHECK(holds(cli::status_text(Json{{"state", "running\x1b[2J"}}), "running?[2J"));
  for (const Json& odd : {Json{{"routes", 5}}, Json{{"routes", {1, nullptr, Json::object()}}},
                          Json{{"database", "x"}, {"reasons", {1, "\x1b"}}},
                          Json{{"routes", {{{"held", 3}, {"leases", {1}}, {"name", 7}}}}}})
    CHECK_FALSE(holds(cli::status_text(odd), "\x1b"));
  const Json blocked = {{"routes",
                         {{{"name", "orders"},
                           {"held", {{"retrying", 1}, {"dead", 2}, {"blocked", 0}}},
                           {"blocked_keys",
                            {{{"key", "customer-3"},
                              {"seq", 17},
                              {"id", "id-17"},
                              {"state", "retrying"},
                              {"attempts", 4},
                              {"last_error", "no\x1b"},
                              {"age_seconds", 200},
                              {"rows", 6}},
                             5}}}}}};
  CHECK(holds(cli::status_text(blocked), "1 retrying, 2 dead"));
  CHECK(holds(cli::status_text(blocked),
              "orders  customer-3  retrying  6     3 min 20 s  4         17   id-17  no?"));
  const Json failed = {
      {"routes",
       {{{"name", "orders"}, {"last_error", "no\x1b"}, {"last_error_at", "2026-01-02T03:04:05Z"}}}}};
  CHECK(holds(cli::status_text(failed), "orders: last error, 2026-01-02T03:04:05Z: no?"));
  CHECK(cli::age_text(0.84) == "0.8 s");
  CHECK(cli::age_text(200) == "3 min 20 s");
  CHECK(cli::age_text(2 * 86400 + 4 * 3600) == "2 d 4 h");
  CHECK(cli::table({"A", "B"}, {{"gr\u00fcn", "x"}, {"a", "y"}}) == "A     B\ngr\u00fcn  x\na     y\n");
}
