// Databases that are down, restarted or crash, while services go on writing as soon as they can.
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <vector>

#include "tests/conformance/event_lines.h"
#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

constexpr int window = 256;

}  // namespace

TEST_CASE("PostgreSQL down at the start is waited for, and /status says so") {
  PostgresqlServer server;
  PostgresqlShop shop(server);
  shop.order(20);
  server.stop();
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.start();

  const Json waiting = relay.status_when(
      [](const Json& status) { return status.at("state") == "degraded" && is_in_state(status, "backoff"); });
  CAPTURE(waiting.dump(2));
  CHECK(waiting.at("state") == "degraded");
  CHECK_FALSE(waiting.at("reasons").empty());
  CHECK(reasons_of(waiting).find(std::to_string(server.port())) != std::string::npos);
  CHECK_FALSE(waiting.at("database").at("connected").get<bool>());
  CHECK(relay.get("/livez") == 200);
  CHECK(relay.get("/readyz") == 503);

  server.start();
  CHECK(shop.all_sent(20));
  CHECK(eventually([&] { return relay.get("/readyz") == 200; }, patience));
  CHECK(shop.committed().compare(read_event_lines(read_file(path))).text() == Comparison{}.text());
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("a SQLite database that does not exist yet is waited for, not made") {
  const TempDir directory;
  const std::string database = directory / "orders.db", path = directory / "events.ndjson";
  Outboxd relay(config_of("sqlite:" + database, "file:" + path));
  relay.start();
  const Json waiting = relay.status_when([](const Json& status) {
    return status.at("state") == "degraded" && !route_of(status).at("reasons").empty();
  });
  CAPTURE(waiting.dump(2));
  CHECK(waiting.at("state") == "degraded");
  CHECK(reasons_of(waiting).find("orders.db") != std::string::npos);
  CHECK(relay.get("/readyz") == 503);
  CHECK_FALSE(std::filesystem::exists(database));

  REQUIRE(outboxd({"migrate", "up", "--db", "sqlite:" + database}).exit_code == 0);
  const Finished sent =
      outboxd({"send", "--db", "sqlite:" + database, "--topic", "orders", "--payload", "{}"});
  REQUIRE(sent.exit_code == 0);
  CHECK(eventually([&] { return read_event_lines(read_file(path)).size() == 1; }, patience));
  CHECK(eventually([&] { return relay.get("/readyz") == 200; }, patience));
}

TEST_CASE("PostgreSQL restarted and crashed in the middle: nothing lost, invented or out of order") {
  PostgresqlServer server;
  PostgresqlShop shop(server);
  const RedisServer redis;
  RedisReader reader(redis.port());
  const auto arrived = [&] { return std::stoul(reader.command({"XLEN", "orders"})); };
  RelayConfig config = config_of(shop.url(), redis.url());
  config.window = window;
  Outboxd relay(config);
  relay.start();
  std::vector<std::size_t> down_at;
  {
    const Producers producers(shop, 4, 11);
    for (const bool crashes : {false, true, false, true}) {
      const std::size_t wanted = arrived() + 200;
      REQUIRE_MESSAGE(eventually([&] { return arrived() >= wanted; }, patience), relay.log());
      if (crashes)
        server.crash();
      else
        server.stop();
      // What was with the broker when the database went arrives yet; nothing more until the next lease.
      const Json down = relay.status_when([](const Json& status) {
        return status.at("state") == "degraded" && route_of(status).at("inflight") == 0;
      });
      CHECK(down.at("state") == "degraded");
      CHECK(route_of(down).at("inflight") == 0);
      CHECK(relay.get("/livez") == 200);
      down_at.push_back(arrived());
      server.start();
    }
    const std::size_t wanted = arrived() + 100;
    CHECK_MESSAGE(eventually([&] { return arrived() >= wanted; }, patience), relay.log());
  }
  const CommittedRows committed = shop.committed();
  CHECK(shop.all_sent(committed.size()));
  const std::vector<Received> received = reader.stream("orders");
  const Comparison comparison = committed.compare(received);
  MESSAGE(committed.size() << " committed; " << comparison.text());
  CHECK(comparison.is_faultless());
  for (std::size_t i = 0; i < down_at.size(); ++i) {
    const std::size_t next = i + 1 < down_at.size() ? down_at[i + 1] : received.size();
    CHECK(repeats_in(received, down_at[i], next) <= window);
  }
  CHECK(relay.metric("outbox_reconnects_total{what=\"database\"}") >= 4);
  CHECK(relay.stop(SIGTERM) == 0);
}

}  // namespace outbox::test
