// Outages that look like something else: a server that answers nothing, that refuses every message by itself,
// whose health check says that all is well. No message is to blame, so none becomes a dead letter, and all
// go out soon after the end.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <string>

#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/http_receiver.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

/// More failures than a message has attempts, each of them counted by the relay.
constexpr int failures_min = 25;

struct Outage {
  std::function<void()> begin, end;
};

RelayConfig impatient(const Shop& shop, const std::string& to, const std::string& adapter) {
  RelayConfig config = config_of(shop.url(), to);
  config.attempts_max = 3;
  config.routes[0].more = "[route." + adapter + "]\ntimeout = '200ms'";
  return config;
}

void check_outage(Shop& shop, const RelayConfig& config, const Outage& outage) {
  Outboxd relay(config);
  relay.start();
  shop.order(5);
  REQUIRE(shop.all_sent(5));

  outage.begin();
  shop.order(5);
  const Json during = relay.status_when(
      [](const Json& status) { return route_of(status).at("failed_total") >= failures_min; });
  CAPTURE(during.dump(2));
  CHECK(route_of(during).at("failed_total") >= failures_min);
  CHECK(route_of(during).at("dead_total") == 0);
  CHECK(eventually([&] { return is_in_state(Json::parse(relay.body("/status")), "backoff"); }, patience));
  CHECK_FALSE(reasons_of(during).empty());

  outage.end();
  const auto ended = std::chrono::steady_clock::now();
  CHECK(shop.all_sent(10));
  CHECK(std::chrono::steady_clock::now() - ended < 5s);
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("a Redis that takes connections and answers no write makes no dead letters") {
  SqliteShop shop;
  RedisServer redis;
  RedisReader admin(redis.port());
  check_outage(shop, impatient(shop, redis.url(), "redis"),
               {[&] {
                  admin.command({"CLIENT", "PAUSE", "600000", "WRITE"});
                },
                [&] {
                  admin.command({"CLIENT", "UNPAUSE"});
                }});
}

TEST_CASE("a gateway that answers 5xx to every message, and well to its check, makes no dead letters") {
  for (const int status : {500, 502, 504}) {
    SqliteShop shop;
    WebhookServer server;
    check_outage(
        shop, impatient(shop, "http://127.0.0.1:" + std::to_string(server.port()) + "/hook", "http"),
        {[&] { server.answers({{.path = "/hook", .status = status}}); }, [&] { server.answers({}); }});
  }
}

TEST_CASE("a receiver that takes requests and never answers makes no dead letters") {
  SqliteShop shop;
  WebhookServer server;
  check_outage(shop, impatient(shop, "http://127.0.0.1:" + std::to_string(server.port()) + "/hook", "http"),
               {[&] { server.answers({{.path = "/hook", .way = "hangs"}}); }, [&] { server.answers({}); }});
}

TEST_CASE("a message that a receiver never takes is a dead letter while others pass") {
  SqliteShop shop;
  WebhookServer server;
  server.answers({{.path = "/hook/poison", .status = 500}});
  Outboxd relay(impatient(shop, "http://127.0.0.1:" + std::to_string(server.port()) + "/hook", "http"));
  relay.start();
  shop.insert({.topic = "poison"});
  const Json dead = relay.status_when([&](const Json& status) {
    shop.order(1);
    return route_of(status).at("dead_total") == 1;
  });
  CHECK(route_of(dead).at("dead_total") == 1);
  CHECK(relay.command({"held", "list", "--state", "dead"}).output.find("poison") != std::string::npos);
}

}  // namespace outbox::test
