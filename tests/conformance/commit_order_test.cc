// The trap of every outbox that is read by number: transactions commit in another order than they draw
// numbers. Producers that take turns per key by a row lock, as services do, and a reader that must see each
// key's rows in that order, each once.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/conformance/postgresql_fixture.h"

namespace outbox::test {
namespace {

using std::chrono::microseconds;

constexpr int producers = 8;
constexpr int transactions_each = 1900;
constexpr int keys = 40;
constexpr unsigned seed = 20260131;

class Producer {
 public:
  Producer(const std::string& url, unsigned number) : sql_(url), random_(seed + number) {}

  void run() {
    for (int i = 0; i < transactions_each; ++i) transaction();
  }

 private:
  bool chance(int percent) { return std::uniform_int_distribution(1, 100)(random_) <= percent; }
  void maybe_pause() {
    // real time passing is the point: it lets transactions overtake each other
    if (chance(20))
      std::this_thread::sleep_for(microseconds(std::uniform_int_distribution(1, 3000)(random_)));
  }

  void transaction() {
    const std::string key = std::to_string(std::uniform_int_distribution(1, keys)(random_));
    sql_.run("BEGIN");
    if (chance(20)) sql_.run("SELECT pg_current_xact_id()");  // a number early, the key's row late
    maybe_pause();
    const std::string number =
        sql_.run("UPDATE key SET number = number + 1 WHERE key = " + key + " RETURNING number");
    if (chance(10)) {
      sql_.run("SAVEPOINT s");
      insert(key, "undone");
      if (chance(50)) maybe_pause();
      sql_.run("ROLLBACK TO s");
    }
    const bool undone = chance(5);
    if (chance(10)) sql_.run("SAVEPOINT s");
    maybe_pause();
    insert(key, undone ? "undone" : number);
    maybe_pause();
    sql_.run(undone ? "ROLLBACK" : "COMMIT");
  }

  void insert(const std::string& key, const std::string& payload) {
    sql_.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('orders', '" + key + "', '" + payload +
             "')");
  }

  Sql sql_;
  std::mt19937 random_;
};

struct Seen {
  std::map<std::string, long> last;  ///< by key
  long rows = 0, inverted = 0, undone = 0;

  void add(const Message& message) {
    ++rows;
    if (message.payload == "undone") {
      ++undone;
      return;
    }
    const long number = std::stol(std::string(message.payload));
    long& before = last[std::string(*message.key)];
    inverted += number != before + 1;
    before = number;
  }
};

void read_more(Holder& holder, Seen& seen, int& reads) {
  // small and uneven, so that most windows are paged while others commit
  const auto batch = holder.store->read(holder.mark, {1 + static_cast<std::size_t>(reads) % 12, 1u << 20});
  REQUIRE_MESSAGE(batch, batch.error().text);
  for (const Message& message : batch->messages) seen.add(message);
  holder.mark = batch->end;
  // a crash now and then: another session goes on from what was saved
  if (++reads % 50 == 0) {
    REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
    auto acquired = holder.store->acquire(request_of("relay-1"));
    REQUIRE(acquired);
    CHECK(std::get<Granted>(*acquired).mark == holder.mark);
    holder.lease = std::get<Granted>(*acquired).lease;
  }
  if (batch->messages.empty() && !batch->more) REQUIRE(holder.store->wait(std::chrono::milliseconds(20)));
}

TEST_CASE("PostgreSQL: rows of a key come in commit order, each once, whatever overtakes what") {
  PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  sql.run("CREATE TABLE key (key int PRIMARY KEY, number int NOT NULL DEFAULT 0)");
  sql.run("INSERT INTO key SELECT generate_series(0, " + std::to_string(keys) + ")");

  const Sql long_writer(fixture.url);
  long_writer.run("BEGIN; UPDATE key SET number = 1 WHERE key = 0");
  long_writer.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('orders', '0', '1')");

  std::atomic<int> running = producers;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < producers; ++i)
    threads.emplace_back([&, i] {
      Producer(fixture.url, i).run();
      --running;
    });

  Holder holder = holder_of(fixture);
  Seen seen;
  int reads = 0;
  bool long_open = true;
  while (running > 0) {
    read_more(holder, seen, reads);
    if (long_open && running < producers) {  // the first has finished: most of the run is over
      CHECK(seen.last.count("0") == 0);
      long_writer.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('orders', '0', '2')");
      long_writer.run("UPDATE key SET number = 2 WHERE key = 0; COMMIT");
      long_open = false;
    }
  }
  for (std::jthread& thread : threads) thread.join();
  for (long before = -1; before != seen.rows;) {
    before = seen.rows;
    read_more(holder, seen, reads);
  }

  long committed = 0, lost = 0;
  for (int key = 0; key <= keys; ++key) {
    const long number = std::stol(sql.run("SELECT number FROM key WHERE key = " + std::to_string(key)));
    committed += number;
    lost += number - seen.last[std::to_string(key)];
  }
  MESSAGE("rows committed " << committed << ", read " << seen.rows << " in " << reads << " reads");
  CHECK(seen.undone == 0);
  CHECK(seen.inverted == 0);
  CHECK(lost == 0);
  CHECK(seen.rows == committed);
  CHECK(committed > producers * transactions_each * 9 / 10);
}

}  // namespace
}  // namespace outbox::test
