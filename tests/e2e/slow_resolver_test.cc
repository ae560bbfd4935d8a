// A resolver that takes a minute: nothing waits for it but the session that needs the name.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// False: what is preloaded does not go with a sanitizer.
bool make_names_slow(Outboxd& relay) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("a sanitizer lets nothing be preloaded: not tested");
  return false;
#endif
  relay.environment = {{"LD_PRELOAD", OUTBOX_SLOW_RESOLVER}};
  return true;
}

bool ends_soon(Outboxd& relay) {
  const auto begun = Clock::now();
  const int code = relay.stop(SIGTERM);
  CHECK(code == 0);
  return Clock::now() - begun < 15s;
}

}  // namespace

TEST_CASE("a broker's name that is not resolved holds up no lease, no probe and no end") {
  for (const char* adapter : {"redis", "amqp", "nats", "mqtt", "http", "kafka"}) {
    CAPTURE(adapter);
    SqliteShop shop;
    RelayConfig config = config_of(shop.url(), "file:" + shop.directory() + "/events");
    const std::string settings = "[route." + std::string(adapter) + "]\nconnect_timeout = '1s'";
    config.routes.push_back({"slow", std::string(adapter) + "://broker.slow:7", settings});
    config.drain_timeout = "2s";
    Outboxd relay(config);
    if (!make_names_slow(relay)) return;
    shop.order(5);
    const auto begun = Clock::now();
    relay.start();
    const Json status =
        relay.status_when([](const Json& seen) { return is_in_state(seen, "backoff", "slow"); });
    CAPTURE(status.dump(2));
    CHECK(is_in_state(status, "backoff", "slow"));
    CHECK(Clock::now() - begun < 20s);
    CHECK(relay.metric("outbox_lease_lost_total") == 0);
    CHECK(shop.all_sent(5));
    CHECK(relay.get("/livez") == 200);
    CHECK(ends_soon(relay));
  }
}

TEST_CASE("a database's name that is not resolved holds up no probe and no end") {
  RelayConfig config = config_of("postgresql://somebody@db.slow/orders", "null:");
  config.drain_timeout = "2s";
  Outboxd relay(config);
  if (!make_names_slow(relay)) return;
  relay.start();
  const auto says_why = [](const Json& seen) {
    return reasons_of(seen).find("still being looked up") != std::string::npos;
  };
  CHECK(says_why(relay.status_when(says_why)));
  CHECK(relay.get("/livez") == 200);
  CHECK(ends_soon(relay));
}

}  // namespace outbox::test
