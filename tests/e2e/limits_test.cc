// Rows of any size and shape: they are dead letters with their reason, the others go on, and whoever looks
// gets an answer of a bounded size at once.
#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <random>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

constexpr long megabyte = 1 << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long peak_max = 2000 * megabyte;  // what is freed stays, what is there is there several times
#else
constexpr long peak_max = 100 * megabyte;
#endif

/// The most that the process has had in memory.
long peak_bytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6)) * 1024;
  return -1;
}

void check_large_texts(Shop& shop) {
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  const std::string text(8 * megabyte, 'x');
  for (int i = 0; i < 3; ++i) {
    shop.insert({.topic = text});
    shop.insert({.key = text + std::to_string(i)});
    shop.insert({.type = text});
    shop.insert({.content_type = text});
    shop.insert({.key = "k", .headers = "{\"a\":\"" + text + "\"}"});
    shop.insert({.key = "k"});
  }
  relay.start();
  const std::map<std::string, long> all = {{"dead", 15}, {"sent", 3}};
  REQUIRE_MESSAGE(eventually([&] { return shop.states("main") == all; }, patience),
                  relay.log().substr(0, 4000));
  CHECK(read_event_lines(read_file(path)).size() == 3);

  const Json status =
      relay.status_when([](const Json& now) { return route_of(now).at("held").at("dead") == 15; });
  const std::string error = route_of(status).at("last_error");
  CHECK(error.find("more than outbox.texts_max, which is 65536") != std::string::npos);
  for (const char* place : {"/status", "/v1/held", "/v1/held/main/1", "/v1/held/main/2", "/v1/held/main/3",
                            "/v1/held/main/4", "/v1/held/main/5", "/metrics"}) {
    CAPTURE(place);
    CHECK(relay.get(place) == 200);
    CHECK(relay.body(place).size() < 20'000);
  }
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"held", "list"},
                                                    {"held", "list", "--json"},
                                                    {"held", "show", "5"},
                                                    {"status"}}) {
    const Finished finished = relay.command(arguments);
    CHECK(finished.exit_code == 0);
    CHECK(finished.output.size() < 40'000);
  }
  CHECK(relay.log().size() < 40'000);
  // One row at a time, and what the database's library needs for it.
  CHECK(peak_bytes(relay.process().pid()) < peak_max);
  CHECK(relay.stop(SIGTERM) == 0);
}

void check_long_topic(Shop& shop) {
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  RelayConfig config = config_of(shop.url(), "");
  config.routes = {{"main", "file:" + path, "topics = ['orders']"}};
  Outboxd relay(config);
  std::string topic;
  std::mt19937 random(1);
  for (int i = 0; i < 30'000; ++i) topic += static_cast<char>('a' + random() % 26);
  shop.insert({.topic = topic});
  shop.insert({});
  relay.start();
  const std::map<std::string, long> all = {{"unrouted", 1}, {"sent", 1}};
  CHECK_MESSAGE(eventually([&] { return shop.states("main") == all; }, patience),
                relay.log().substr(0, 4000));
  CHECK(relay.stop(SIGTERM) == 0);
}

/// A dead letter for its size, and the next setting's message, with its key.
void check_configured(Shop& shop) {
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  const std::string key(3000, 'k');
  shop.insert({.key = key});
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.environment = {{"OUTBOXD_OUTBOX_TEXTS_MAX", "2000"}};
  relay.start();
  REQUIRE(eventually([&] { return shop.states("main")["dead"] == 1; }, patience));
  CHECK(relay.stop(SIGTERM) == 0);
  relay.environment = {{"OUTBOXD_OUTBOX_TEXTS_MAX", "4000"}};
  relay.start();
  CHECK(relay.command({"held", "requeue", "--all"}).exit_code == 0);
  REQUIRE(eventually([&] { return shop.states("main")["sent"] == 1; }, patience));
  CHECK(read_event_lines(read_file(path)).at(0).attributes.at("partitionkey") == key);
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("outbox.texts_max says how large texts may be; a requeued row goes with its key") {
  SUBCASE("SQLite") {
    SqliteShop shop;
    check_configured(shop);
  }
  SUBCASE("PostgreSQL") {
    PostgresqlShop shop;
    check_configured(shop);
  }
}

TEST_CASE("texts of any size make dead letters, short answers and no memory") {
  SUBCASE("SQLite") {
    SqliteShop shop;
    check_large_texts(shop);
  }
  SUBCASE("PostgreSQL") {
    PostgresqlShop shop;
    check_large_texts(shop);
  }
}

TEST_CASE("a long topic that no route takes is noted") {
  SUBCASE("SQLite") {
    SqliteShop shop;
    check_long_topic(shop);
  }
  SUBCASE("PostgreSQL") {
    PostgresqlShop shop;
    check_long_topic(shop);
  }
}

}  // namespace outbox::test
