#include <doctest/doctest.h>

#include "config_fixture.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

Loaded with(const std::string& routes, Environment environment = {}, std::vector<Flag> flags = {}) {
  environment["OUTBOXD_DATABASE_URL"] = "postgresql://h/shop";
  return load({.file = routes, .environment = std::move(environment), .flags = std::move(flags)});
}

std::string faults_of(const std::string& routes, Environment environment = {}, std::vector<Flag> flags = {}) {
  return joined(with(routes, std::move(environment), std::move(flags)).faults);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string two_routes =
    "[[route]]\nname = \"orders-eu\"\nto = \"redis://h\"\n[route.redis]\nmaxlen = 1\n[[route]]\nname = "
    "\"audit\"\nto = \"file:a\"\n";

}  // namespace

TEST_CASE("a database and a broker by flag are one route named main") {
  const Loaded loaded =
      load({.flags = {{"--db", "database.url", "sqlite:/data/shop.db"}, {"--to", "route.to", "file:a"}}});
  CHECK(joined(loaded.faults) == "");
  REQUIRE(loaded.config.routes.size() == 1);
  CHECK(loaded.config.routes[0].name == "main");
  CHECK(loaded.config.routes[0].to == "file:a");
  CHECK(loaded.config.routes[0].topics == std::vector<std::string>{"*"});
  CHECK(loaded.config.source == "outboxd/shop");
}

TEST_CASE("every setting of the adapter is present, with its type") {
  const Loaded loaded =
      with("[[route]]\nto = \"redis://h\"\n[route.redis]\nmaxlen = 9\ntimeout = \"2s\"\ntrim = true\n");
  CHECK(joined(loaded.faults) == "");
  const Settings& settings = loaded.config.routes.at(0).settings;
  CHECK(std::get<std::int64_t>(settings.at("maxlen")) == 9);
  CHECK(std::get<Duration>(settings.at("timeout")) == 2s);
  CHECK(std::get<bool>(settings.at("trim")) == true);
  CHECK(std::get<std::string>(settings.at("mode")) == "a");
  CHECK(std::get<std::string>(settings.at("password")) == "");
}

TEST_CASE("a setting is held to the adapter's rule") {
  const std::string head = "[[route]]\nto = \"redis://h\"\n[route.redis]\n";
  CHECK(holds(faults_of(head + "maxlen = 2000\n"),
              "FILE:4:10: route.main.redis.maxlen: is 2000, allowed: an integer, 0 to 1000"));
  CHECK(holds(faults_of(head + "maxlne = 2\n"),
              "FILE:4:1: route.main.redis.maxlne: unknown key, did you mean maxlen?"));
  CHECK(holds(faults_of(head + "mode = \"c\"\n"), "route.main.redis.mode: is \"c\", allowed: \"a\" | \"b\""));
  CHECK(holds(faults_of(head + "trim = 1\n"), "route.main.redis.trim: is an integer, allowed: true | false"));
  CHECK(holds(faults_of("[[route]]\nto = \"redis://h\"\nredis = 1\n"),
              "route.main.redis: is an integer, allowed: a table"));
}

TEST_CASE("only the table of the adapter that the route goes to is allowed") {
  CHECK(holds(faults_of("[[route]]\nto = \"redis://h\"\n[route.file]\nsync = true\n"),
              "FILE:3:8: route.main.file: these are settings of another adapter than \"to\" names, allowed: "
              "route.main.redis"));
  CHECK(holds(faults_of("[[route]]\nto = \"redis://h\"\n[route.redsi]\nmaxlen = 1\n"),
              "FILE:3:8: route.main.redsi: unknown key, did you mean redis?"));
}

TEST_CASE("a route's URL must be one that an adapter of this build takes") {
  CHECK(holds(faults_of("[[route]]\nto = \"reddis://h\"\n"),
              "FILE:2:6: route.main.to: has the unknown scheme \"reddis\", did you mean redis:?"));
  CHECK(holds(faults_of("[[route]]\nto = \"plain\"\n"),
              "route.main.to: has no scheme, allowed: redis:, rediss:, file:, kafka:"));
  CHECK(holds(faults_of("[[route]]\nto = \"kafka://h\"\n"),
              "kafka is not part of this build: librdkafka was not found"));
  CHECK(holds(faults_of("[[route]]\nto = \"redis://h:0\"\n"), "the port must be a number"));
  CHECK(holds(faults_of("[[route]]\nto = \"file:\"\n"), "route.main.to: file: names no file"));
  CHECK(holds(faults_of("[[route]]\nto = \"\"\n"), "route.main.to: is empty, allowed: a broker URL"));
  CHECK(holds(faults_of("[[route]]\nname = \"a\"\n"),
              "FILE:1:1: route.a.to: is missing, allowed: a broker URL"));
}

TEST_CASE("names are unique, well formed and needed where there are several") {
  CHECK(holds(faults_of("[[route]]\nname = \"a b\"\nto = \"file:a\"\n"),
              "is \"a b\", no route name, allowed: 1 to 63"));
  CHECK(holds(faults_of("[[route]]\nname = \"" + std::string(64, 'x') + "\"\nto = \"file:a\"\n"),
              "no route name"));
  CHECK(
      holds(faults_of("[[route]]\nname = \"a\"\nto = \"file:a\"\n[[route]]\nname = \"a\"\nto = \"file:b\"\n"),
            "FILE:5:8: route.a.name: another route has this name"));
  CHECK(holds(faults_of("[[route]]\nto = \"file:a\"\n[[route]]\nname = \"b\"\nto = \"file:b\"\n"),
              "FILE:1:1: route.main.name: is missing: with several routes each needs its own name"));
}

TEST_CASE("topics are patterns") {
  CHECK(with("[[route]]\nto = \"file:a\"\ntopics = \"order.*\"\n").config.routes.at(0).topics ==
        std::vector<std::string>{"order.*"});
  CHECK(holds(faults_of("[[route]]\nto = \"file:a\"\ntopics = []\n"), "route.main.topics: is empty"));
  CHECK(holds(faults_of("[[route]]\nto = \"file:a\"\ntopics = [\"\"]\n"),
              "FILE:3:10: route.main.topics: an item is \"\", no topic pattern"));
  CHECK(holds(faults_of("[[route]]\nto = \"file:a\"\ntopics = [5]\n"), "an item is an integer"));
}

TEST_CASE("[route] instead of [[route]] says how it is written") {
  CHECK(holds(faults_of("[route]\nto = \"file:a\"\n"),
              "FILE:1:1: route: is a table, allowed: a list of tables, each written [[route]]"));
}

TEST_CASE("variables override a route's keys and settings") {
  const Loaded loaded = with(two_routes, {{"OUTBOXD_ROUTE_ORDERS_EU_TO", "rediss://other"},
                                          {"OUTBOXD_ROUTE_ORDERS_EU_REDIS_MAXLEN", "5"},
                                          {"OUTBOXD_ROUTE_AUDIT_TOPICS", "a.*,b"},
                                          {"OUTBOXD_ROUTE_AUDIT_FILE_SYNC", "false"}});
  CHECK(joined(loaded.faults) == "");
  CHECK(loaded.config.routes.at(0).to == "rediss://other");
  CHECK(std::get<std::int64_t>(loaded.config.routes[0].settings.at("maxlen")) == 5);
  CHECK(loaded.config.routes.at(1).topics == std::vector<std::string>{"a.*", "b"});
  CHECK(std::get<bool>(loaded.config.routes[1].settings.at("sync")) == false);
}

TEST_CASE("a variable that fits no route, two routes or another adapter is a fault") {
  CHECK(holds(faults_of(two_routes, {{"OUTBOXD_ROUTE_ODERS_EU_TO", "file:x"}}),
              "environment: OUTBOXD_ROUTE_ODERS_EU_TO: names no key of a route, did you mean "
              "OUTBOXD_ROUTE_ORDERS_EU_TO?"));
  CHECK(holds(faults_of(two_routes, {{"OUTBOXD_ROUTE_AUDIT_REDIS_MAXLEN", "1"}}),
              "environment: OUTBOXD_ROUTE_AUDIT_REDIS_MAXLEN: is a setting of another adapter"));
  CHECK(holds(
      faults_of("[[route]]\nname = \"a-b\"\nto = \"file:a\"\n[[route]]\nname = \"a_b\"\nto = \"file:b\"\n",
                {{"OUTBOXD_ROUTE_A_B_TO", "file:c"}}),
      "environment: OUTBOXD_ROUTE_A_B_TO: fits the routes a-b and a_b"));
}

TEST_CASE("routes may come from variables alone") {
  const Loaded loaded = load({.environment = {{"OUTBOXD_DATABASE_URL", "sqlite:a.db"},
                                              {"OUTBOXD_ROUTE_ORDERS_TO", "redis://h"},
                                              {"OUTBOXD_ROUTE_ORDERS_REDIS_TIMEOUT", "9s"}}});
  CHECK(joined(loaded.faults) == "");
  REQUIRE(loaded.config.routes.size() == 1);
  CHECK(loaded.config.routes[0].name == "orders");
  CHECK(std::get<Duration>(loaded.config.routes[0].settings.at("timeout")) == 9s);
}

TEST_CASE("--to goes to the one route, and not to one of several") {
  CHECK(with("[[route]]\nname = \"a\"\nto = \"redis://h\"\n", {}, {{"--to", "route.to", "file:x"}})
            .config.routes.at(0)
            .to == "file:x");
  CHECK(holds(faults_of(two_routes, {}, {{"--to", "route.to", "file:x"}}), "--to: there are 2 routes"));
}
