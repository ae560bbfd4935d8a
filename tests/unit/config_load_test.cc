#include <doctest/doctest.h>

#include "config/keys.h"
#include "config_fixture.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

/// The faults of a file that is right but for `lines` in its place.
std::string faults_of(const std::string& lines) {
  return joined(
      load({.file = lines,
            .environment = {{"OUTBOXD_DATABASE_URL", "sqlite:a.db"}, {"OUTBOXD_ROUTE_MAIN_TO", "file:a"}}})
          .faults);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a file fills the configuration, what it leaves out has its default") {
  const Loaded loaded = load({.file = right_file});
  CHECK(joined(loaded.faults) == "");
  const Config& config = loaded.config;
  CHECK(config.database_url == "postgresql://orders:pw@localhost/orders");
  CHECK(config.table == "app.outbox");
  CHECK(config.retention == 2h);
  CHECK(config.window == 128);
  CHECK(config.lease == 10s);
  CHECK(config.source == "/orders");
  CHECK(config.block_on_dead);
  CHECK(config.http_listen == "127.0.0.1:8477");
  REQUIRE(config.routes.size() == 2);
  CHECK(config.routes[0].name == "orders");
  CHECK(config.routes[0].topics == std::vector<std::string>{"order.*", "cart"});
  CHECK(config.routes[0].start == Start::now);
  CHECK(config.routes[0].attributes == Attributes::minimal);
  CHECK(config.routes[1].topics == std::vector<std::string>{"*"});
  CHECK(config.routes[1].start == Start::oldest);
}

TEST_CASE("the documented defaults are the defaults") {
  const std::string text = documented_defaults(brokers());
  const Config fresh;
  const Loaded loaded = load(
      {.file = text,
       .environment = {{"OUTBOXD_DATABASE_URL", "sqlite:/x/shop.db"}, {"OUTBOXD_ROUTE_MAIN_TO", "file:a"}}});
  CHECK(joined(loaded.faults) == "");
  CHECK(loaded.config.table == fresh.table);
  CHECK(loaded.config.retention == fresh.retention);
  CHECK(loaded.config.dead_retention == fresh.dead_retention);
  CHECK(loaded.config.held_max == fresh.held_max);
  CHECK(loaded.config.texts_max == fresh.texts_max);
  CHECK(loaded.config.window == fresh.window);
  CHECK(loaded.config.drain_timeout == fresh.drain_timeout);
  CHECK(loaded.config.lease == fresh.lease);
  CHECK(loaded.config.shards == fresh.shards);
  CHECK(loaded.config.attempts_max == fresh.attempts_max);
  CHECK(loaded.config.backoff_min == fresh.backoff_min);
  CHECK(loaded.config.backoff_max == fresh.backoff_max);
  CHECK(loaded.config.block_on_dead == fresh.block_on_dead);
  CHECK(loaded.config.http_listen == fresh.http_listen);
  CHECK(loaded.config.log_format == fresh.log_format);
  CHECK(loaded.config.log_level == fresh.log_level);
  CHECK(loaded.config.source == "outboxd/shop");
  CHECK(loaded.config.routes.at(0).topics == RouteConfig().topics);
  for (const auto& key : config_keys()) {
    CHECK(holds(text, std::string(key.name)));
    CHECK_FALSE(key.doc.empty());
  }
}

TEST_CASE("flag over environment over file over default") {
  Setup given{.file = right_file};
  CHECK(load(given).config.window == 128);
  given.environment["OUTBOXD_RELAY_WINDOW"] = "256";
  CHECK(load(given).config.window == 256);
  given.flags.push_back({"--set relay.window", "relay.window", "512"});
  CHECK(load(given).config.window == 512);
}

TEST_CASE("every key has its environment variable") {
  for (const auto& key : config_keys()) {
    const std::string variable = "OUTBOXD_" + environment_name(key.path());
    const std::string faults = joined(load({.environment = {{variable, "\x01"}}}).faults);
    CAPTURE(variable);
    CHECK_FALSE(holds(faults, "unknown variable"));
  }
  const Loaded loaded = load({.environment = {{"OUTBOXD_DATABASE_URL", "sqlite:a.db"},
                                              {"OUTBOXD_RETRY_ON_DEAD", "block"},
                                              {"OUTBOXD_HTTP_LISTEN", ""},
                                              {"OUTBOXD_ROUTE_MAIN_TO", "file:a"}}});
  CHECK(joined(loaded.faults) == "");
  CHECK(loaded.config.block_on_dead);
  CHECK(loaded.config.http_listen == "");
}

TEST_CASE("all faults are told at once, in the order of file, environment and flags") {
  const Loaded loaded = load({.file = "[database]\nurl = \"oracle://u:hunter2@h/d\"\n[relay]\nwindw = "
                                      "5\nlease = \"1ms\"\n[[route]]\nto = 5\n",
                              .environment = {{"OUTBOXD_RELAY_SHARDS", "0"}, {"OUTBOXD_RELAY_WINDO", "3"}},
                              .flags = {{"--set log.level", "log.level", "loud"}}});
  REQUIRE(loaded.faults.size() == 7);
  CHECK(
      loaded.faults[0] ==
      "FILE:2:7: database.url: has the unknown scheme \"oracle\", allowed: postgresql:, postgres:, sqlite:");
  CHECK(loaded.faults[1] == "FILE:4:1: relay.windw: unknown key, did you mean window?");
  CHECK(loaded.faults[2] ==
        "FILE:5:9: relay.lease: is out of range \"1ms\", allowed: a duration, 1s to 1h (units ms, s, m, h, "
        "d, as in \"10s\")");
  CHECK(loaded.faults[3] == "FILE:7:6: route.main.to: is an integer, allowed: text");
  CHECK(loaded.faults[4] == "environment: OUTBOXD_RELAY_SHARDS: is 0, allowed: an integer, 1 to 64");
  CHECK(loaded.faults[5] ==
        "environment: OUTBOXD_RELAY_WINDO: unknown variable, did you mean OUTBOXD_RELAY_WINDOW?");
  CHECK(loaded.faults[6] ==
        "--set log.level: is \"loud\", allowed: \"debug\" | \"info\" | \"warning\" | \"error\"");
}

TEST_CASE("an unknown key gets the suggestion that helps") {
  CHECK(holds(faults_of("[rely]\nwindow = 1\n"), "FILE:1:2: rely: unknown key, did you mean relay?"));
  CHECK(holds(faults_of("window = 1\n"), "FILE:1:1: window: unknown key, did you mean relay.window?"));
  CHECK(holds(faults_of("[outbox]\nwindow = 1\n"), "outbox.window: unknown key, did you mean relay.window?"));
  CHECK(holds(faults_of("[log]\nzzzzzz = 1\n"), "log.zzzzzz: unknown key, allowed: format, level"));
  CHECK(holds(faults_of("relay = 5\n"), "FILE:1:9: relay: is an integer, allowed: a table"));
}

TEST_CASE("each kind of value is held to its rule") {
  CHECK(holds(faults_of("[relay]\nwindow = 0\n"),
              "FILE:2:10: relay.window: is 0, allowed: an integer, 1 to 1000000"));
  CHECK(holds(faults_of("[relay]\nwindow = 1000001\n"), "relay.window: is 1000001"));
  CHECK(holds(faults_of("[relay]\nwindow = \"12\"\n"), "relay.window: is text, allowed: an integer"));
  CHECK(holds(faults_of("[relay]\nwindow = 1.5\n"), "relay.window: is a number with a fraction"));
  CHECK(
      holds(faults_of("[relay]\nlease = 10\n"), "relay.lease: is an integer, allowed: a duration, 1s to 1h"));
  CHECK(holds(faults_of("[relay]\nlease = \"10\"\n"), "relay.lease: is \"10\", no duration"));
  CHECK(holds(faults_of("[outbox]\ntable = \"a;drop\"\n"),
              "outbox.table: is \"a;drop\", no table name, allowed: [schema.]name"));
  CHECK(holds(faults_of("[relay]\nsource = \"a b\"\n"), "relay.source: is \"a b\", no CloudEvents source"));
  CHECK(holds(faults_of("[http]\nlisten = \"8477\"\n"), "http.listen: is \"8477\", no address"));
  CHECK(holds(faults_of("[retry]\nbackoff_min = \"10m\"\n"),
              "retry.backoff_max: is less than retry.backoff_min, allowed: at least 10m"));
  CHECK(faults_of("[outbox]\nretention = \"0s\"\n[http]\nlisten = \"\"\n[relay]\nsource = \"\"\n") == "");
}

TEST_CASE("dead letters are kept until an operator decides, or for as long as the file says") {
  const std::string rest = "[database]\nurl = \"sqlite:a\"\n[[route]]\nto = \"file:x\"\n";
  CHECK_FALSE(load({.file = rest}).config.dead_retention);
  CHECK_FALSE(load({.file = "[outbox]\ndead_retention = \"\"\n" + rest}).config.dead_retention);
  CHECK(load({.file = "[outbox]\ndead_retention = \"30d\"\n" + rest}).config.dead_retention == 720h);
  CHECK_FALSE(load({.file = "[outbox]\ndead_retention = \"30d\"\n" + rest,
                    .environment = {{"OUTBOXD_OUTBOX_DEAD_RETENTION", ""}}})
                  .config.dead_retention);
  CHECK(holds(faults_of("[outbox]\ndead_retention = \"never\"\n"),
              "outbox.dead_retention: is \"never\", no duration"));
}

TEST_CASE("held rows have a bound of at least one, shards one of 64") {
  CHECK(holds(faults_of("[retry]\nheld_max = 0\n"), "retry.held_max: is 0, allowed: an integer, 1 to "));
  CHECK(faults_of("[retry]\nheld_max = 1\n") == "");
  CHECK(holds(faults_of("[relay]\nshards = 65\n"), "relay.shards: is 65, allowed: an integer, 1 to 64"));
  CHECK(faults_of("[relay]\nshards = 64\n") == "");
  CHECK(holds(faults_of("[outbox]\ntexts_max = 1023\n"),
              "outbox.texts_max: is 1023, allowed: an integer, 1024 to "));
}

TEST_CASE("another address than loopback needs a token") {
  CHECK(holds(faults_of("[http]\nlisten = \"0.0.0.0:8477\"\n"),
              "FILE:2:10: http.listen: another address than loopback needs http.token"));
  CHECK(faults_of("[http]\nlisten = \"0.0.0.0:8477\"\ntoken = \"t0ken\"\n") == "");
  CHECK(faults_of("[http]\nlisten = \"[::1]:0\"\n") == "");
  CHECK(faults_of("[http]\nlisten = \"localhost:8477\"\n") == "");
  CHECK(holds(faults_of("[http]\nlisten = \"127.example.org:1\"\n"), "needs http.token"));
}

TEST_CASE("references are replaced, escaped ones are not, missing ones are faults") {
  const Folder folder;
  const std::string secret = folder.write("token", "s3cret\n");
  Setup given{.file = "[database]\nurl = \"${DB}\"\n[http]\ntoken = \"${file:" + secret +
                      "}\"\n[relay]\nsource = \"/a$${b}\"\nwindow = \"${WINDOW}\"\n",
              .environment = {
                  {"DB", "sqlite:${NOT_AGAIN}.db"}, {"WINDOW", "7"}, {"OUTBOXD_ROUTE_MAIN_TO", "file:a"}}};
  const Loaded loaded = load(given);
  CHECK(joined(loaded.faults) == "");
  CHECK(loaded.config.database_url == "sqlite:${NOT_AGAIN}.db");
  CHECK(loaded.config.http_token == "s3cret");
  CHECK(loaded.config.source == "/a${b}");
  CHECK(loaded.config.window == 7);

  CHECK(holds(faults_of("[relay]\nsource = \"${NOPE}\"\n"),
              "FILE:2:10: relay.source: ${NOPE}: this environment variable is not set"));
  CHECK(holds(faults_of("[relay]\nsource = \"${file:/no/such}\"\n"),
              "relay.source: ${file:/no/such}: the file cannot be read: No such file"));
  CHECK(holds(faults_of("[relay]\nsource = \"a${b\"\n"), "relay.source: ${ without }"));
  CHECK(holds(faults_of("[http]\ntoken = \"${file:" + folder.write("empty", "\n") + "}\"\n"),
              "http.token: is empty after replacing"));
}

TEST_CASE("no fault repeats a secret") {
  const std::string canary = "hunter2";
  const Environment environment{{"SECRET", canary + " x"}};
  for (const std::string& file : std::vector<std::string>{
           "[database]\nurl = \"" + canary + "\"\n", "[database]\nurl = \"x://u:" + canary + "@h\"\n",
           "[database]\nurl = \"postgresql://u:" + canary + "@h:99999/d\"\n",
           "[http]\ntoken = \"" + canary + " x\"\n", std::string("[relay]\nsource = \"${SECRET}\"\n"),
           std::string("[log]\nlevel = \"${SECRET}\"\n"),
           std::string("[relay]\nlease = \"${SECRET}\"\nwindow = \"${SECRET}\"\n"),
           std::string("[outbox]\ntable = \"${SECRET}\"\n"), std::string("[http]\nlisten = \"${SECRET}\"\n"),
           "[http]\ntoken = " + canary + "\n", "[http]\ntoken = \"" + canary + "\n",
           "[http]\ntoken = '" + canary + "' " + canary + "\n", "{\"http\": {\"token\": " + canary + "}}",
           "{\"http\": {\"token\": \"" + canary + "}}", "{\"http\": {\"token\": \"" + canary + "\"; }}",
           "[[route]]\nto = \"redis://u:" + canary + "@h:x\"\n",
           "[[route]]\nto = \"file:a\"\ntopics = [\"${SECRET}\x01\"]\n",
           "[[route]]\nto = \"redis://h\"\n[route.redis]\npassword = 1\nmode = \"${SECRET}\"\n"}) {
    const Loaded loaded = load({.file = file, .environment = environment});
    CAPTURE(file);
    CHECK_FALSE(loaded.faults.empty());
    CHECK_FALSE(holds(joined(loaded.faults), canary));
  }
}

TEST_CASE("unknown variables are faults, those of others are not ours to judge") {
  const std::string faults = joined(load({.environment = {{"OUTBOXD_CONFIG", "x"},
                                                          {"OUTBOXD_PORT", "tcp://10.0.0.1:8477"},
                                                          {"OUTBOXD_SERVICE_HOST", "10.0.0.1"},
                                                          {"OUTBOXD_PORT_8477_TCP_ADDR", "10.0.0.1"},
                                                          {"OUTBOX_DATABASE_URL", "x"},
                                                          {"OUTBOXD_DATABSE_URL", "x"},
                                                          {"OUTBOXD_NONSENSE", "x"}}})
                                        .faults);
  CHECK(holds(faults,
              "environment: OUTBOXD_DATABSE_URL: unknown variable, did you mean OUTBOXD_DATABASE_URL?"));
  CHECK(holds(faults, "environment: OUTBOXD_NONSENSE: unknown variable, allowed: OUTBOXD_<SECTION>_<KEY>"));
  CHECK_FALSE(holds(faults, "OUTBOXD_CONFIG:"));
  CHECK_FALSE(holds(faults, "PORT"));
  CHECK_FALSE(holds(faults, "HOST"));
}

TEST_CASE("what is missing is told with the ways to give it") {
  const Loaded loaded = load({});
  REQUIRE(loaded.faults.size() == 2);
  CHECK(
      loaded.faults[0] ==
      "configuration: database.url: is missing, allowed: a database URL (or --db, or OUTBOXD_DATABASE_URL)");
  CHECK(loaded.faults[1].starts_with("configuration: route: is missing, allowed: at least one [[route]]"));
  CHECK(
      load({.environment = {{"OUTBOXD_DATABASE_URL", "sqlite:a"}}, .routes_required = false}).faults.empty());
}

TEST_CASE("a file that cannot be read is one fault, not one for each missing key") {
  Sources sources;
  sources.file = "/no/such/outboxd.toml";
  const Loaded loaded = load_config(sources);
  REQUIRE(loaded.faults.size() == 1);
  CHECK(loaded.faults[0] == "/no/such/outboxd.toml: cannot be read: No such file or directory");
  CHECK(load({.file = "[database\n"}).faults.size() == 1);
}
