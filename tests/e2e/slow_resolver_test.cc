// A resolver that takes a minute, a database that never answers: nothing waits for them but the session that
// needs them.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/socket.h"
#include "tests/support/temp_dir.h"

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

bool says_that_it_waits(const Outboxd& relay) {
  const auto says_so = [](const Json& seen) {
    return seen.at("state") == "degraded" &&
           seen.at("reasons").dump().find("has not answered for") != std::string::npos;
  };
  return says_so(relay.status_when(says_so));
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
  const TempDir directory;
  std::ofstream(directory / "services") << "[slow]\nhost=db.slow\nuser=somebody\ndbname=orders\n";
  for (const char* url : {"postgresql://somebody@db.slow/orders", "postgresql:///?service=slow"}) {
    CAPTURE(url);
    RelayConfig config = config_of(url, "null:");
    config.drain_timeout = "2s";
    Outboxd relay(config);
    if (!make_names_slow(relay)) return;
    relay.environment.emplace_back("PGSERVICEFILE", directory / "services");
    relay.start();
    CHECK(says_that_it_waits(relay));
    CHECK(relay.get("/livez") == 200);
    CHECK(ends_soon(relay));
  }
}

TEST_CASE("a database that accepts and never says a word holds up no probe and no end") {
  int port = 0;
  const int listener = listen_at(port);
  RelayConfig config = config_of(
      "postgresql://somebody@127.0.0.1:" + std::to_string(port) + "/orders?connect_timeout=120", "null:");
  config.drain_timeout = "2s";
  Outboxd relay(config);
  relay.start();
  CHECK(says_that_it_waits(relay));
  CHECK(relay.get("/livez") == 200);
  CHECK(ends_soon(relay));
  ::close(listener);
}

TEST_CASE("a database that falls silent in the middle holds up no probe and no end") {
  PostgresqlServer server;
  PostgresqlShop shop(server);
  FaultProxy proxy(server.port());
  const std::string url = shop.url(), at = ":" + std::to_string(server.port()) + "/";
  REQUIRE(url.find(at) != std::string::npos);
  RelayConfig config = config_of(
      std::string(url).replace(url.find(at), at.size(), ":" + std::to_string(proxy.port()) + "/"), "null:");
  config.drain_timeout = "2s";
  Outboxd relay(config);
  relay.start();
  shop.order(5);
  REQUIRE(shop.all_sent(5));
  proxy.half_open(true);
  CHECK(says_that_it_waits(relay));
  CHECK(relay.get("/livez") == 200);
  CHECK(ends_soon(relay));
}

}  // namespace outbox::test
