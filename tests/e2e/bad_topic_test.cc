// A topic that the broker does not take, in the midst of others: its rows wait for it where operators see
// them, and go out by themselves once it is mended.
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

Json topics_of(const Json& status) {
  const Json route = route_of(status);
  return route.is_null() ? Json::array() : route.at("topics");
}

/// 3 rows of the topic bad, the first with a key, 100 of others; `mend` makes the topic one that is taken.
void check_bad_topic(Shop& shop, const RelayConfig& config, const std::string& reason,
                     const std::function<void()>& mend) {
  Outboxd relay(config);
  shop.insert({.topic = "bad", .key = "k"});
  shop.insert({.topic = "good", .key = "k"});
  shop.insert({.topic = "bad"});
  relay.start();
  shop.order(100);
  CHECK(eventually([&] { return shop.states("main")["sent"] == 100; }, patience));
  shop.insert({.topic = "bad"});
  CHECK(eventually([&] { return shop.states("main")["retrying"] == 3; }, patience));
  CHECK(shop.states("main")["blocked"] == 1);

  const Json status = relay.status_when([](const Json& seen) { return !topics_of(seen).empty(); });
  CAPTURE(status.dump(2));
  REQUIRE(topics_of(status).size() == 1);
  CHECK(topics_of(status)[0].at("topic") == "bad");
  CHECK(topics_of(status)[0].at("reason").get<std::string>().find(reason) != std::string::npos);
  const Json counted = relay.status_when(
      [](const Json& seen) { return !topics_of(seen).empty() && topics_of(seen)[0].at("waiting") == 3; });
  CHECK(topics_of(counted)[0].at("waiting") == 3);
  CHECK(reasons_of(counted).find(reason) != std::string::npos);
  CHECK(reasons_of(counted).find("; 3 rows wait for it") != std::string::npos);
  CHECK(relay.command({"check"}).output.find("topic bad: ") != std::string::npos);
  CHECK(status.at("state") == "degraded");
  CHECK(is_in_state(status, "running"));
  CHECK(relay.logs("topic.trouble"));
  CHECK(relay.metric("outbox_topics_in_trouble{route=\"main\"}") == 1);
  const std::string held = relay.command({"held", "list", "--topic", "bad", "--json"}).output;
  CHECK_MESSAGE(held.find(reason) != std::string::npos, held);
  CHECK(relay.command({"held", "discard", "--seq", "3"}).exit_code == 0);

  mend();
  const auto mended = std::chrono::steady_clock::now();
  // Nobody holds the discarded one any more, and the mark has passed it.
  const bool is_over = eventually([&] { return shop.states("main")["sent"] == 104; }, patience);
  CHECK_MESSAGE(is_over, relay.command({"held", "list", "--json"}).output);
  CHECK(std::chrono::steady_clock::now() - mended < 12s);
  CHECK(relay.logs("topic.mended"));
  CHECK(topics_of(relay.status_when([](const Json& seen) { return topics_of(seen).empty(); })).empty());
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("a stream of another type in the way stops only its topic") {
  SqliteShop shop;
  RedisServer redis;
  RedisReader admin(redis.port());
  admin.command({"SET", "bad", "not a stream"});
  check_bad_topic(shop, config_of(shop.url(), redis.url()), "WRONGTYPE", [&] {
    admin.command({"DEL", "bad"});
  });
}

TEST_CASE("a stream that does not exist stops only its topic") {
  PostgresqlShop shop;
  RedisServer redis;
  RedisReader admin(redis.port());
  for (const char* topic : {"good", "orders"}) admin.command({"XADD", topic, "*", "made", "1"});
  RelayConfig config = config_of(shop.url(), redis.url());
  config.routes[0].more = "[route.redis]\ncreate_streams = false";
  check_bad_topic(shop, config, "stream does not exist", [&] {
    admin.command({"XADD", "bad", "*", "made", "1"});
  });
}

TEST_CASE("a path that is not there stops only its topic") {
  PostgresqlShop shop;
  WebhookServer server;
  server.answers({{.path = "/hook/bad", .status = 404}});
  check_bad_topic(shop, config_of(shop.url(), "http://127.0.0.1:" + std::to_string(server.port()) + "/hook"),
                  "404 Not Found", [&] { server.answers({}); });
}

TEST_CASE("a hundred bad topics stop no other one, and once ends with them held") {
  SqliteShop shop;
  RedisServer redis;
  RedisReader admin(redis.port());
  for (int i = 0; i < 100; ++i) {
    const std::string topic = "bad-" + std::to_string(i);
    admin.command({"SET", topic, "not a stream"});
    shop.insert({.topic = topic});
    shop.insert({.topic = topic});
  }
  shop.order(100);
  Outboxd relay(config_of(shop.url(), redis.url()));
  const Finished once = relay.command({"run", "--once"});
  CHECK(once.exit_code == 1);
  CHECK(shop.states("main")["sent"] == 100);
  CHECK(shop.states("main")["retrying"] == 200);
  CHECK_MESSAGE(once.output.find("200 messages are held") != std::string::npos, once.output);
}

}  // namespace outbox::test
