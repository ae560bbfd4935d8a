// kill -9 of the relay in the middle of its work, again and again, while services go on writing. Then
// consumers must have every committed row, nothing else, each key in its order, and few repeats.
#include <signal.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <thread>
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
constexpr int kills_in_backlog = 3;
constexpr int backlog = 2000;
constexpr int window = 128;
constexpr unsigned seed = 20260131;

/// Where messages arrive.
struct Consumer {
  std::function<std::size_t()> count;
  std::function<std::vector<Received>()> received;
};

/// What a relay left in its socket when it died arrives yet.
std::size_t count_at_rest(const Consumer& consumer) {
  std::size_t before = 0, count = consumer.count();
  do {
    before = count;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    count = consumer.count();
  } while (count != before);
  return count;
}

/// Runs the relay until so many more messages have arrived, and kills it.
void run_and_kill(Outboxd& relay, const Consumer& consumer, std::size_t messages,
                  std::vector<std::size_t>& killed_at) {
  relay.start();
  const std::size_t wanted = consumer.count() + messages;
  REQUIRE_MESSAGE(eventually([&] { return consumer.count() >= wanted; }, patience), relay.log());
  relay.process().signal(SIGKILL);
  relay.kill();
  killed_at.push_back(count_at_rest(consumer));
}

void check_kills(Shop& shop, const std::string& to, const Consumer& consumer) {
  RelayConfig config = config_of(shop.url(), to);
  config.window = window;
  config.http = false;
  Outboxd relay(config);
  std::vector<std::size_t> killed_at;
  std::mt19937 random(seed);
  {
    const Producers producers(shop, 4, seed);
    // At moments that the seed decides; one in four as soon as the relay runs at all.
    for (int i = 0; i < kills; ++i)
      run_and_kill(relay, consumer, random() % 4 == 0 ? 1 : random() % 600, killed_at);
  }
  // While it works off a backlog it has read far more than is accepted.
  for (int i = 0; i < kills_in_backlog; ++i) {
    shop.session()->order(std::to_string(i), true, backlog);
    run_and_kill(relay, consumer, 1 + random() % 500, killed_at);
  }
  relay.start();
  // The last run has something to send, or it might be told to stop before it can hear it.
  shop.session()->order("0", true);
  const CommittedRows committed = shop.committed();
  const std::map<std::string, long> all_sent = {{"sent", static_cast<long>(committed.size())}};
  CHECK_MESSAGE(eventually([&] { return shop.states("main") == all_sent; }, patience), relay.log());
  CHECK_MESSAGE(relay.stop(SIGTERM) == 0, relay.log());

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
  const auto complete_lines = [path](std::size_t from) {
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(from));
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return text.substr(0, text.rfind('\n') + 1);
  };
  std::size_t counted = 0, counted_to = 0;
  const auto count = [&] {
    const std::string text = complete_lines(counted_to);
    counted_to += text.size();
    return counted += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  check_kills(shop, "file:" + path, {count, [&] { return read_event_lines(complete_lines(0)); }});
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
