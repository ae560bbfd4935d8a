#include "tests/conformance/store_suite.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<ServiceRow> numbered(int from, int to, std::size_t padding = 0) {
  std::vector<ServiceRow> rows;
  for (int i = from; i < to; ++i) rows.push_back({.payload = std::to_string(i) + std::string(padding, ' ')});
  return rows;
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

void check_rows(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  writer->commit_rows(numbered(0, 5));
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder) == numbers(0, 5));
  CHECK(read_all(holder).empty());
  writer->commit_rows(numbered(5, 7));
  writer->commit_rows(numbered(7, 8));
  CHECK(read_all(holder) == numbers(5, 8));
}

void check_limits(StoreFixture& fixture) {
  fixture.writer()->commit_rows(numbered(0, 25, 1000));
  Holder holder = holder_of(fixture);
  const auto ten = holder.store->read(holder.mark, {10, 1u << 24});
  REQUIRE(ten);
  CHECK(ten->messages.size() == 10);
  CHECK(ten->more);
  const auto few = holder.store->read(ten->end, {1000, 3500});
  REQUIRE(few);
  CHECK(few->messages.size() == 4);
  CHECK(few->bytes >= 3500);
  CHECK(few->more);
  const auto one = holder.store->read(few->end, {1000, 1});
  REQUIRE(one);
  CHECK(one->messages.size() == 1);
  holder.mark = one->end;
  CHECK(read_all(holder).size() == 10);
}

void check_large_backlog(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  // read in several pages, in one go and by small steps; rows that come meanwhile follow behind
  writer->commit_rows(numbered(0, 1));
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).size() == 1);
  writer->commit_rows(numbered(1, 3000));
  std::vector<std::string> all;
  for (int reads = 0; reads < 3; ++reads) {
    const auto batch = holder.store->read(holder.mark, {100, 1u << 24});
    REQUIRE(batch);
    CHECK(batch->messages.size() == 100);
    for (const Message& message : batch->messages) all.emplace_back(message.payload);
    holder.mark = batch->end;
  }
  writer->commit_rows(numbered(3000, 3010));
  for (std::string& payload : read_all(holder, {500, 1u << 24})) all.push_back(std::move(payload));
  CHECK(all == numbers(1, 3010));
}

void check_uncommitted(StoreFixture& fixture) {
  const auto early = fixture.writer();
  Holder holder = holder_of(fixture);
  early->begin();
  early->insert({.payload = "early"});
  CHECK(read_all(holder).empty());
  if (fixture.has_concurrent_writers()) {
    const auto late = fixture.writer();
    late->commit_rows({{.payload = "late"}});
    CHECK(read_all(holder) == std::vector<std::string>{"late"});
    CHECK(read_all(holder).empty());
  }
  early->commit();
  CHECK(read_all(holder) == std::vector<std::string>{"early"});
  CHECK(read_all(holder).empty());
}

void check_rollback(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  Holder holder = holder_of(fixture);
  writer->begin();
  for (const ServiceRow& row : numbered(0, 10)) writer->insert(row);
  writer->rollback();
  CHECK(read_all(holder).empty());
  writer->commit_rows({{.payload = "next"}});
  CHECK(read_all(holder) == std::vector<std::string>{"next"});
}

void check_settle(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  writer->commit_rows(numbered(0, 10));
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 10);
  CHECK(fixture.admin()->backlog("orders")->pending == 10);
  REQUIRE(holder.store->settle(holder.lease, {batch->cursor, batch->messages[3].seq}, {}));
  CHECK(fixture.admin()->backlog("orders")->pending == 6);
  holder = holder_of(fixture, "relay-1");
  CHECK(holder.mark == Mark{batch->cursor, batch->messages[3].seq});
  writer->commit_rows(numbered(10, 12));
  CHECK(fixture.admin()->backlog("orders")->pending == 8);
  CHECK(read_all(holder) == numbers(4, 12));
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  CHECK(fixture.admin()->backlog("orders")->pending == 0);
  holder = holder_of(fixture, "relay-1");
  CHECK(read_all(holder).empty());
}

void check_reread(StoreFixture& fixture) {
  fixture.writer()->commit_rows(numbered(0, 50));
  Holder holder = holder_of(fixture);
  const Mark before = holder.mark;
  CHECK(read_all(holder, {7, 1u << 20}) == numbers(0, 50));
  holder = holder_of(fixture);
  CHECK(holder.mark == before);
  CHECK(read_all(holder, {11, 1u << 20}) == numbers(0, 50));
}

void check_start(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  writer->commit_rows(numbered(0, 3));
  Holder holder = holder_of(fixture, "relay-1", Start::now);
  CHECK(read_all(holder).empty());
  writer->commit_rows(numbered(3, 5));
  CHECK(read_all(holder) == numbers(3, 5));
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  holder = holder_of(fixture, "relay-1", Start::now);
  CHECK(read_all(holder).empty());
}

void check_dates(StoreFixture& fixture) {
  fixture.writer()->commit_rows({{.deliver_in = seconds(3600)}, {.deliver_in = seconds(-3600)}, {}});
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 3);
  CHECK(batch->messages[0].due_in > seconds(3500));
  CHECK(batch->messages[0].due_in <= seconds(3600));
  CHECK(batch->messages[1].due_in < seconds(0));
  CHECK(batch->messages[2].due_in == seconds(0));
  for (const Message& message : batch->messages) {
    CHECK(message.age >= seconds(0));
    CHECK(message.age < seconds(60));
  }
}

void check_send_many(StoreFixture& fixture) {
  NewRow row;
  row.topic = "orders";
  row.payload = "a 'row'";
  row.headers = {{"tenant", "7"}};
  REQUIRE(fixture.admin()->send_many(row, 5, 3).ok());
  row.key = "own";
  REQUIRE(fixture.admin()->send_many(row, 1, 0).ok());
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {100, 1u << 20});
  REQUIRE(batch.ok());
  std::set<std::string_view> ids;
  std::vector<std::string_view> keys;
  for (const Message& message : batch->messages) {
    ids.insert(message.id_text());
    keys.push_back(message.key.value_or("(none)"));
    CHECK(message.payload == "a 'row'");
    REQUIRE(message.headers.size() == 1);
    CHECK(message.headers[0].value == "7");
  }
  CHECK(ids.size() == 6);
  CHECK(keys == std::vector<std::string_view>{"key-0", "key-1", "key-2", "key-0", "key-1", "own"});
}

void check_wait(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());

  // committed before the wait, or long after it began: a wait that is not notified would be the timeout's
  writer->commit_rows(numbered(0, 1));
  auto woken = holder.store->wait(patience);
  REQUIRE(woken);
  CHECK(*woken == Woken::notified);
  CHECK(read_all(holder).size() == 1);
  for (int round = 0; round < 5; ++round) {
    const std::jthread service([&, round] {
      for (int i = 0; i < 50 * round; ++i) {  // so that the commit comes later and later into the wait
        writer->begin();
        writer->insert(numbered(1, 2).front());
        writer->rollback();
      }
      writer->commit_rows(numbered(1, 2));
    });
    for (std::size_t found = 0; found == 0; found = read_all(holder).size()) {
      woken = holder.store->wait(patience);
      REQUIRE(woken);
      REQUIRE(*woken == Woken::notified);
    }
  }
}

void check_wake(StoreFixture& fixture) {
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder).empty());
  holder.store->wake();
  CHECK(wait_for(*holder.store, Woken::interrupted, patience) == Woken::interrupted);
  {
    const std::jthread other([&] { holder.store->wake(); });
    CHECK(wait_for(*holder.store, Woken::interrupted, patience) == Woken::interrupted);
  }
  CHECK(wait_for(*holder.store, Woken::timeout, milliseconds(5)) == Woken::timeout);
}

}  // namespace

void ServiceWriter::commit_rows(const std::vector<ServiceRow>& rows) {
  begin();
  for (const ServiceRow& row : rows) insert(row);
  commit();
}

LeaseRequest request_of(const std::string& owner) {
  LeaseRequest request;
  request.route = "orders";
  request.owner = owner;
  return request;
}

LeaseHolder refusal_of(Store& store, const LeaseRequest& request) {
  auto acquired = store.acquire(request);
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  REQUIRE(std::holds_alternative<LeaseHolder>(*acquired));
  return std::get<LeaseHolder>(*acquired);
}

Granted grant_of(Store& store, const LeaseRequest& request) {
  auto acquired = store.acquire(request);
  REQUIRE_MESSAGE(acquired, acquired.error().text);
  REQUIRE(std::holds_alternative<Granted>(*acquired));
  return std::get<Granted>(*acquired);
}

Holder holder_of(StoreFixture& fixture, const LeaseRequest& request) {
  Holder holder{fixture.store(), {}, {}};
  const Granted grant = grant_of(*holder.store, request);
  holder.lease = grant.lease;
  holder.mark = grant.mark;
  return holder;
}

Holder holder_of(StoreFixture& fixture, const std::string& owner, Start start) {
  LeaseRequest request = request_of(owner);
  request.start = start;
  return holder_of(fixture, request);
}

std::array<Holder, 2> holders_of_two_shards(StoreFixture& fixture) {
  LeaseRequest first = request_of("relay-1"), second = first;
  first.shards = second.shards = 2;
  second.shard = 1;
  return {holder_of(fixture, first), holder_of(fixture, second)};
}

Hold hold_of(const Message& message, HeldState state) {
  Hold hold;
  hold.seq = message.seq;
  if (message.key) hold.key = std::string(*message.key);
  hold.state = state;
  hold.blocks = state == HeldState::retrying || state == HeldState::blocked;
  if (state == HeldState::unrouted) hold.topic = message.topic;
  return hold;
}

std::vector<std::string> read_all(Holder& holder, const ReadLimit& limit) {
  std::vector<std::string> payloads;
  for (;;) {
    auto batch = holder.store->read(holder.mark, limit);
    REQUIRE_MESSAGE(batch, batch.error().text);
    for (const Message& message : batch->messages) {
      const auto end = message.payload.find_last_not_of(' ');
      payloads.emplace_back(message.payload.substr(0, end + 1));
    }
    CHECK(batch->messages.size() <= limit.messages_max);
    holder.mark = batch->end;
    if (!batch->more) return payloads;
  }
}

Woken wait_for(Store& store, Woken wanted, Duration timeout) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto woken = store.wait(timeout);
    REQUIRE_MESSAGE(woken, woken.error().text);
    if (*woken == wanted || std::chrono::steady_clock::now() >= end) return *woken;
  }
}

Sleeper::Sleeper(Holder& holder) : holder_(holder) {
  rows_ = std::async(std::launch::async, [this] {
    const auto end = std::chrono::steady_clock::now() + patience;
    std::size_t rows = 0;
    while (rows == 0 && !ending_ && std::chrono::steady_clock::now() < end) {
      const auto woken = holder_.store->wait(patience);
      REQUIRE_MESSAGE(woken, woken.error().text);
      rows = read_all(holder_).size();
    }
    return rows;
  });
}

Sleeper::~Sleeper() {
  ending_ = true;
  holder_.store->wake();
  if (rows_.valid()) rows_.wait();
}

void store_suite(StoreFixture& fixture) {
  SUBCASE("committed rows come once, in commit order") {
    check_rows(fixture);
  }
  SUBCASE("a batch ends with the row that reaches a limit") {
    check_limits(fixture);
  }
  SUBCASE("a backlog is read in pages, and later rows follow it") {
    check_large_backlog(fixture);
  }
  SUBCASE("what is not committed is not seen, and is seen once it is") {
    check_uncommitted(fixture);
  }
  SUBCASE("what is rolled back is never seen") {
    check_rollback(fixture);
  }
  SUBCASE("a new session goes on behind the settled mark") {
    check_settle(fixture);
  }
  SUBCASE("what was read and not settled is read again") {
    check_reread(fixture);
  }
  SUBCASE("a route that starts now has no past") {
    check_start(fixture);
  }
  SUBCASE("ages and delays are by the database's clock") {
    check_dates(fixture);
  }
  SUBCASE("many rows are sent at once, each with an id and its turn's key") {
    check_send_many(fixture);
  }
  SUBCASE("a wait ends with a commit") {
    check_wait(fixture);
  }
  SUBCASE("a wait ends with wake, or with its time") {
    check_wake(fixture);
  }
  store_rows_suite(fixture);
  store_lease_suite(fixture);
}

}  // namespace outbox::test
