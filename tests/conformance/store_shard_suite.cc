#include <doctest/doctest.h>

#include <algorithm>

#include "core/shard.h"
#include "tests/conformance/held_rows.h"

namespace outbox::test {
namespace {

using enum HeldState;

LeaseRequest shard_request(int shard, int shards, const std::string& owner = "relay-1") {
  LeaseRequest request = request_of(owner);
  request.shard = shard;
  request.shards = shards;
  return request;
}

/// Every shard of the route, held by one relay.
std::vector<Shelf> all_shards(StoreFixture& fixture, int shards) {
  std::vector<Shelf> all;
  for (int shard = 0; shard < shards; ++shard) all.emplace_back(fixture, shard_request(shard, shards));
  return all;
}

void check_shards_apart(StoreFixture& fixture) {
  Shelf first(fixture, shard_request(0, 2)), second(fixture, shard_request(1, 2, "relay-2"));
  first.hold({{.key = "a", .state = retrying}, {.key = "a", .state = blocked}, {}});
  CHECK(first.keys().rows_total == 2);
  CHECK(second.keys().rows_total == 0);
  CHECK(second.due().empty());
  CHECK(read_all(second.holder).size() == 3);  // each has its own mark and reads the whole log
  const auto routes = fixture.admin()->routes();
  REQUIRE(routes);
  REQUIRE(routes->size() == 2);
  CHECK((*routes)[0].owner == "relay-1");
  CHECK((*routes)[1].shard == 1);
  CHECK((*routes)[1].owner == "relay-2");
}

void check_same_start(StoreFixture& fixture) {
  LeaseRequest request = shard_request(0, 2);
  request.start = Start::now;
  const Holder first = holder_of(fixture, request);
  fixture.writer()->commit_rows({{.payload = "between"}});
  request.shard = 1;
  Holder second = holder_of(fixture, request);
  CHECK(second.mark == first.mark);
  CHECK(read_all(second) == std::vector<std::string>{"between"});
}

void check_held_rows_move(StoreFixture& fixture) {
  constexpr int keys = 12;
  const auto key_of = [](int i) { return "key-" + std::to_string(i); };
  {
    Shelf shelf(fixture);
    std::vector<Wanted> rows;
    for (int i = 0; i < keys; ++i) rows.push_back({.key = key_of(i), .state = retrying});
    for (int i = 0; i < keys; ++i) rows.push_back({.key = key_of(i), .state = blocked});
    rows.push_back({.state = dead});
    shelf.hold(rows);
  }
  for (const int shards : {3, 2}) {
    CAPTURE(shards);
    const std::vector<Shelf> all = all_shards(fixture, shards);
    std::int64_t total = 0;
    for (const Shelf& shelf : all) {
      total += shelf.keys().rows_total;
      const HeldBatch batch = shelf.read();
      std::string last;
      for (const Message& message : batch.rows.messages) {
        CHECK(shard_of(message.key, message.seq, shards) == shelf.holder.lease.shard);
        if (message.seq > keys) CHECK(*message.key == last);  // directly behind the first of its key
        last = std::string(*message.key);
      }
      Holder holder{fixture.store(), shelf.holder.lease, shelf.holder.mark};
      CHECK(shelf.holder.store->read(shelf.holder.mark, {10, 1000})->messages.empty());  // all is settled
    }
    CHECK(total == 2 * keys + 1);
    HeldFilter filter;
    filter.key = key_of(1);
    CHECK(held_text(fixture, filter) == "2 retrying, 14 blocked");
  }
}

void check_earliest_mark(StoreFixture& fixture) {
  std::vector<Shelf> three = all_shards(fixture, 3);
  fixture.writer()->commit_rows({{.payload = "1"}, {.payload = "2"}});
  for (const std::size_t ahead : {0U, 2U}) {
    Holder& holder = three[ahead].holder;
    CHECK(read_all(holder).size() == 2);
    REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  }
  // shard 1 has settled nothing: nobody may begin behind its rows
  for (Shelf& shelf : all_shards(fixture, 2))
    CHECK(read_all(shelf.holder) == std::vector<std::string>{"1", "2"});
  CHECK(three[0].holder.store->renew(three[0].holder.lease).error().fault == Fault::fenced);
}

void check_fewer_and_more(StoreFixture& fixture) {
  const std::int64_t epoch = all_shards(fixture, 4).back().holder.lease.epoch;
  REQUIRE(fixture.admin()->set_paused("orders", true, "tester"));
  const Shelf single(fixture, shard_request(0, 1));
  CHECK(single.holder.lease.epoch > epoch);
  CHECK(fixture.admin()->routes()->size() == 1);
  const auto other = fixture.store();
  CHECK(grant_of(*other, shard_request(4, 5)).paused);
  CHECK(fixture.admin()->routes()->size() == 5);
  CHECK(single.holder.store->renew(single.holder.lease).error().fault == Fault::fenced);
}

void check_held_version(StoreFixture& fixture) {
  // or a relay that has looked at a low number would not look again
  Shelf(fixture).hold({{.state = dead}, {.state = dead}});
  HeldFilter filter;
  for (int i = 1; i <= 2; ++i) {
    filter.seqs = {i};
    REQUIRE(fixture.admin()->change_held(HeldAction::requeue, filter, 10, false, "tester"));
  }
  const std::int64_t version = fixture.admin()->routes()->front().held_version;
  all_shards(fixture, 3);
  for (const RouteShard& shard : *fixture.admin()->routes()) CHECK(shard.held_version > version);
}

void check_read_again(StoreFixture& fixture) {
  // what a shard that was ahead had held comes again through the log, and must not be held twice
  std::vector<Shelf> three = all_shards(fixture, 3);
  std::vector<Wanted> rows;
  for (int i = 0; i < 9; ++i) rows.push_back({.key = "key-" + std::to_string(i), .state = retrying});
  three[0].hold(rows);
  CHECK(fixture.admin()->held_counts("orders")->at(retrying).rows == 9);
  Shelf single(fixture, shard_request(0, 1));
  CHECK(read_all(single.holder).size() == 9);
  CHECK(fixture.admin()->held_counts("orders")->empty());
}

void check_waits_for_holders(StoreFixture& fixture) {
  Shelf first(fixture, shard_request(0, 2, "relay-1")), second(fixture, shard_request(1, 2, "relay-2"));
  first.hold({{.key = "a", .state = retrying}});
  const auto store = fixture.store();
  LeaseRequest request = shard_request(0, 1, "relay-3");
  CHECK(refusal_of(*store, request).owner == "relay-1");
  REQUIRE(first.holder.store->renew(first.holder.lease));
  REQUIRE(first.holder.store->release(first.holder.lease));
  const LeaseHolder left = refusal_of(*store, request);
  CHECK(left.owner == "relay-2");
  CHECK(second.holder.store->renew(second.holder.lease));  // being waited for does no harm
  request.expired = left;
  CHECK(refusal_of(*store, request).owner == "relay-2");  // it has moved since
  request.expired = refusal_of(*store, request);
  CHECK(grant_of(*store, request).lease.shard == 0);
  CHECK(second.holder.store->renew(second.holder.lease).error().fault == Fault::fenced);
}

void check_expired_one_by_one(StoreFixture& fixture) {
  const Shelf first(fixture, shard_request(0, 2, "relay-1")), second(fixture, shard_request(1, 2, "relay-2"));
  const auto store = fixture.store();
  LeaseRequest request = shard_request(0, 3, "relay-3");
  request.expired = refusal_of(*store, request);
  const LeaseHolder left = refusal_of(*store, request);
  CHECK(left.owner != request.expired->owner);
  request.expired = left;
  CHECK(grant_of(*store, request).lease.shard == 0);
}

}  // namespace

void store_shard_suite(StoreFixture& fixture) {
  SUBCASE("shards have each their own mark, lease and held rows") {
    check_shards_apart(fixture);
  }
  SUBCASE("all shards of a new route begin at one place") {
    check_same_start(fixture);
  }
  SUBCASE("another number of shards moves what is held to where its keys are") {
    check_held_rows_move(fixture);
  }
  SUBCASE("another number of shards begins at the earliest mark") {
    check_earliest_mark(fixture);
  }
  SUBCASE("another number of shards keeps the pause and raises the epoch") {
    check_fewer_and_more(fixture);
  }
  SUBCASE("another number of shards moves the version of what is held") {
    check_held_version(fixture);
  }
  SUBCASE("another number of shards lets go what comes again by itself") {
    check_read_again(fixture);
  }
  SUBCASE("another number of shards waits for those who hold one of the old") {
    check_waits_for_holders(fixture);
  }
  SUBCASE("holders of old shards may expire one after another") {
    check_expired_one_by_one(fixture);
  }
}

}  // namespace outbox::test
