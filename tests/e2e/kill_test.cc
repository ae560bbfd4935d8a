// kill -9 of the relay in the middle of its work, again and again, while services go on writing. Then
// consumers must have every committed row, nothing else, each key in its order, and few repeats.
#include <signal.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/conformance/event_lines.h"
#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

constexpr int kills = 12;
constexpr int window = 128;
constexpr unsigned seed = 20260131;

/// Where messages arrive.
struct Consumer {
  std::function<std::size_t()> count;
  std::function<std::vector<Received>()> received;
};

/// Kills at moments that the seed decides: after so many more messages, or as soon as the relay runs at all.
void kill_again_and_again(Outboxd& relay, const Consumer& consumer, std::vector<std::size_t>& killed_at) {
  std::mt19937 random(seed);
  for (int i = 0; i < kills; ++i) {
    relay.start();
    const std::size_t wanted = consumer.count() + (random() % 4 == 0 ? 1 : random() % 600);
    REQUIRE_MESSAGE(eventually([&] { return consumer.count() >= wanted; }, patience), relay.log());
    relay.process().signal(SIGKILL);
    relay.kill();
    killed_at.push_back(consumer.count());
  }
}

void check_kills(Shop& shop, const std::string& to, const Consumer& consumer) {
  RelayConfig config = config_of(shop.url(), to);
  config.window = window;
  config.http = false;
  Outboxd relay(config);
  std::vector<std::size_t> killed_at;
  {
    const Producers producers(shop, 4, seed);
    kill_again_and_again(relay, consumer, killed_at);
  }
  relay.start();
  const CommittedRows committed = shop.committed();
  const std::map<std::string, long> all_sent = {{"sent", static_cast<long>(committed.size())}};
  CHECK_MESSAGE(eventually([&] { return shop.states("main") == all_sent; }, patience), relay.log());
  CHECK(relay.stop(SIGTERM) == 0);

  const std::vector<Received> arrived = consumer.received();
  const Comparison comparison = committed.compare(arrived);
  MESSAGE(committed.size() << " committed, " << arrived.size() << " arrived; " << comparison.text());
  CHECK(comparison.lost == 0);
  CHECK(comparison.uncommitted == 0);
  CHECK(comparison.inverted == 0);
  CHECK(comparison.changed == 0);
  CHECK(comparison.repeated > 0);  // or no kill hit anything
  for (std::size_t i = 0; i < killed_at.size(); ++i) {
    const std::size_t next = i + 1 < killed_at.size() ? killed_at[i + 1] : arrived.size();
    CHECK(repeats_in(arrived, killed_at[i], next) <= window);
  }
}

}  // namespace

TEST_CASE("the checker tells lost, uncommitted, inverted, changed and repeated messages") {
  CommittedRows committed;
  committed.add("a", {"k", 1, "1"});
  committed.add("b", {"k", 2, "2"});
  committed.add("c", {"k", 3, "3"});
  const auto message = [](const std::string& id, const std::string& payload) {
    Received received;
    received.attributes = {{"id", id}, {"partitionkey", "k"}};
    received.payload = payload;
    return received;
  };
  const Received a = message("a", "1"), b = message("b", "2"), c = message("c", "3");
  CHECK(committed.compare({a, b, c}).text() == Comparison{}.text());
  CHECK(committed.compare({a, b}).lost == 1);
  CHECK(committed.compare({a, b, c, message("x", "4")}).uncommitted == 1);
  CHECK(committed.compare({b, a, c}).inverted > 0);
  CHECK(committed.compare({a, c}).inverted == 1);
  CHECK(committed.compare({a, message("b", "5"), c}).changed == 1);
  CHECK(committed.compare({a, b, a, b, c}).text() == Comparison{0, 0, 0, 0, 2}.text());
  CHECK(repeats_in({a, b, a, b, c}, 3, 5) == 1);
}

TEST_CASE("SQLite to a file: kill -9 loses, invents and reorders nothing") {
  SqliteShop shop;
  const std::string path = shop.directory() + "/events.ndjson";
  const auto complete_lines = [path] {
    const std::string text = read_file(path);
    return text.substr(0, text.rfind('\n') + 1);
  };
  check_kills(shop, "file:" + path,
              {[&] {
                 const std::string text = complete_lines();
                 return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
               },
               [&] { return read_event_lines(complete_lines()); }});
}

TEST_CASE("PostgreSQL to Redis: kill -9 loses, invents and reorders nothing") {
  PostgresqlShop shop;
  const RedisServer redis;
  RedisReader reader(redis.port());
  check_kills(shop, redis.url(),
              {[&] {
                 return std::stoul(reader.command({"XLEN", "orders"}));
               },
               [&] { return reader.stream("orders"); }});
}

}  // namespace outbox::test
