// A replay on a broker that deduplicates: what it remembers of the first delivery must not swallow the
// second.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>

#include "tests/conformance/nats_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/nats_server.h"

namespace outbox::test {
namespace {

constexpr int rows = 24;

/// A relay to a stream that remembers ids for two minutes.
struct Stage {
  explicit Stage(std::unique_ptr<Shop> made)
      : shop(std::move(made)),
        relay(config_of(shop->url(), "nats://127.0.0.1:" + std::to_string(server.port()))) {
    reader.create_stream("ORDERS", {"orders"});
  }

  [[nodiscard]] bool holds(std::size_t messages) {
    return eventually([&] { return reader.api("STREAM.INFO.ORDERS")["state"]["messages"] == messages; });
  }
  /// Every message is in the stream so many times, and no other is.
  [[nodiscard]] bool holds_each(int times) {
    if (!holds(static_cast<std::size_t>(times) * rows)) return false;
    std::map<std::string, int> counts;
    for (const Received& message : reader.stream("ORDERS")) ++counts[message.id()];
    return counts.size() == rows &&
           std::ranges::all_of(counts, [&](const auto& one) { return one.second == times; });
  }
  void replay() const {
    const Finished done = relay.command({"replay", "--route", "main", "--from", "oldest"});
    REQUIRE_MESSAGE(done.exit_code == 0, done.output);
  }
  [[nodiscard]] double duplicates() const {
    return relay.metric("outbox_duplicates_reported_total{route=\"main\"}").value_or(-1);
  }

  NatsServer server;
  NatsReader reader{server.port()};
  std::unique_ptr<Shop> shop;
  Outboxd relay;
};

void check_replay(Stage stage) {
  stage.relay.start();
  stage.shop->order(rows);
  CHECK(stage.holds_each(1));
  for (const int times : {2, 3}) {
    stage.replay();
    CHECK(stage.holds_each(times));
  }
  CHECK(stage.duplicates() == 0);

  // Killed in the midst of a replay, it goes on with the ids that it began with.
  CHECK(stage.relay.stop(SIGTERM) == 0);
  stage.replay();
  stage.relay.environment = {{"OUTBOXD_CRASH_AT", "deliveries.after:1"}};
  stage.relay.start();
  REQUIRE(eventually([&] { return !stage.relay.is_running(); }));
  stage.relay.environment.clear();
  stage.relay.start();
  CHECK(stage.holds_each(4));
  CHECK(stage.shop->all_sent(rows));
  CHECK(stage.duplicates() > 0);

  // What comes after it was never published.
  stage.shop->order(1);
  CHECK(stage.holds(4 * rows + 1));
  CHECK(stage.relay.stop(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("SQLite: a replay within NATS' duplicate window arrives, once, also when the relay dies in it") {
  check_replay(Stage(std::make_unique<SqliteShop>()));
}

TEST_CASE(
    "PostgreSQL: a replay within NATS' duplicate window arrives, once, also when the relay dies in it") {
  check_replay(Stage(std::make_unique<PostgresqlShop>()));
}

}  // namespace outbox::test
