#include <doctest/doctest.h>

#include <algorithm>

#include "tests/conformance/held_rows.h"

namespace outbox::test {
namespace {

using std::chrono::hours;
using enum HeldState;

constexpr MarkPlace from_oldest{MarkPlace::Kind::oldest, 0, ""};
constexpr MarkPlace from_now{MarkPlace::Kind::now, 0, ""};

MarkPlace from_seq(std::int64_t seq) {
  return {MarkPlace::Kind::seq, seq, ""};
}

MarkPlace from_time(const std::string& time) {
  return {MarkPlace::Kind::time, 0, time};
}

Matched changed(StoreFixture& fixture, HeldAction action, const HeldFilter& filter,
                std::int64_t rows_max = 100, bool dry_run = false) {
  const auto result = fixture.admin()->change_held(action, filter, rows_max, dry_run, "tester");
  REQUIRE_MESSAGE(result, result.error().text);
  return *result;
}

HeldFilter only(std::vector<std::int64_t> seqs) {
  HeldFilter filter;
  filter.seqs = std::move(seqs);
  return filter;
}

HeldFilter in_state(HeldState state) {
  HeldFilter filter;
  filter.state = state;
  return filter;
}

std::int64_t held_version(StoreFixture& fixture) {
  const auto routes = fixture.admin()->routes();
  REQUIRE(routes);
  REQUIRE(!routes->empty());
  return routes->front().held_version;
}

void hold_assorted(Shelf& shelf) {
  shelf.hold({{.key = "a", .state = retrying, .topic = "orders"},
              {.key = "a", .state = blocked, .topic = "orders"},
              {.key = "b", .state = dead, .topic = "carts"},
              {.key = "b", .state = dead, .topic = "orders"},
              {.state = scheduled, .due_in = hours(1), .topic = "carts", .last_error = ""},
              {.key = "c", .topic = "carts"},
              {.state = unrouted, .topic = "odd"}});
}

void check_list(StoreFixture& fixture) {
  Shelf shelf(fixture);
  hold_assorted(shelf);
  LeaseRequest request = request_of("relay-1");
  request.route = "audit";
  request.topics = {"orders", "carts"};
  Shelf audit(fixture, request);
  CHECK(audit.held() == "1 retrying, 2 blocked, 3 dead, 4 dead, 5 scheduled, 7 unrouted");
  audit.take({{}, {}, {.key = "b", .state = retrying}, {}, {}, {}, {}});

  HeldFilter filter;
  filter.route = "orders";
  CHECK(held_text(fixture, filter) == "1 retrying, 2 blocked, 3 dead, 4 dead, 5 scheduled, 7 unrouted");
  filter.state = dead;
  CHECK(held_text(fixture, filter) == "3 dead, 4 dead");
  filter.topic = "carts";
  CHECK(held_text(fixture, filter) == "3 dead");
  filter = {};
  filter.key = "b";
  CHECK(held_text(fixture, filter) == "3 retrying, 3 dead, 4 dead");  // by route: audit, orders
  CHECK(held_text(fixture, only({7, 3, 99})) == "3 retrying, 3 dead, 7 unrouted");
  filter.key = "none";
  CHECK(held_text(fixture, filter).empty());

  const HeldEntry entry = shelf.entry(2);
  CHECK(entry.route == "orders");
  CHECK(entry.shard == 0);
  CHECK(entry.id.size() == 36);
  CHECK(entry.topic == "orders");
  CHECK(entry.key == "a");
  CHECK(entry.state == blocked);
  CHECK(entry.attempts == 1);
  CHECK(entry.held_at.find('T') == 10);
  CHECK(entry.held_at.back() == 'Z');
  const HeldEntry plain = shelf.entry(5);
  CHECK_FALSE(plain.key);
  CHECK(plain.next_attempt_at > plain.held_at);
  CHECK(plain.last_error == "");
}

void check_pages(StoreFixture& fixture) {
  Shelf shelf(fixture);
  hold_assorted(shelf);
  std::vector<std::int64_t> seqs;
  std::optional<ListPlace> after;
  for (;;) {
    const auto page = fixture.admin()->held({}, after, 2);
    REQUIRE(page);
    if (page->empty()) break;
    CHECK(page->size() <= 2);
    for (const HeldEntry& entry : *page) seqs.push_back(entry.seq);
    after = ListPlace{page->back().route, page->back().seq};
  }
  CHECK(seqs == std::vector<std::int64_t>{1, 2, 3, 4, 5, 7});
}

void check_message(StoreFixture& fixture) {
  Shelf shelf(fixture);
  hold_assorted(shelf);
  fixture.writer()->commit_rows(
      {{.topic = "late", .type = "made", .payload = "hello", .headers = R"({"a":"b"})"}});
  const auto admin = fixture.admin();
  const auto found = admin->message(std::nullopt, 8, false);
  REQUIRE_MESSAGE(found, found.error().text);
  REQUIRE(found->has_value());
  CHECK((*found)->seq == 8);
  CHECK((*found)->topic == "late");
  CHECK((*found)->type == "made");
  CHECK((*found)->content_type == "application/json");
  CHECK((*found)->headers.find("\"a\"") != std::string::npos);
  CHECK((*admin->message(std::nullopt, 1, false))->type == "orders");  // as it is published: the topic
  CHECK((*found)->payload_bytes == 5);
  CHECK((*found)->payload == "");
  CHECK((*found)->created_at.find('T') == 10);
  CHECK((*found)->deliver_at == "");
  using Routes = std::vector<std::pair<std::string, std::string>>;
  CHECK((*found)->routes == Routes{{"orders", "pending"}});

  const auto by_id = admin->message((*found)->id, std::nullopt, true);
  REQUIRE(by_id);
  REQUIRE(by_id->has_value());
  CHECK((*by_id)->seq == 8);
  CHECK((*by_id)->payload == "hello");
  CHECK((*admin->message(std::nullopt, 3, false))->routes == Routes{{"orders", "dead"}});
  CHECK((*admin->message(std::nullopt, 6, false))->routes == Routes{{"orders", "sent"}});
  CHECK((*admin->message(std::nullopt, 6, false))->key == "c");
  CHECK_FALSE(admin->message(std::nullopt, 99, false)->has_value());
  CHECK_FALSE(admin->message("01234567-89ab-cdef-0123-456789abcdef", std::nullopt, false)->has_value());
  const auto odd = admin->message("not an id", std::nullopt, false);
  CHECK((odd ? !odd->has_value() : odd.error().fault == Fault::refused));
}

void check_requeue(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = dead, .attempts = 7},
              {.key = "a", .state = dead, .attempts = 7},
              {.state = dead, .attempts = 7},
              {.key = "b", .state = dead},
              {.key = "b", .state = retrying, .due_in = hours(1)},
              {.key = "b", .state = blocked}});
  const std::int64_t version = held_version(fixture);
  const Matched dry = changed(fixture, HeldAction::requeue, in_state(dead), 100, true);
  CHECK(dry.matched == 4);
  CHECK(dry.changed == 0);
  CHECK(held_version(fixture) == version);
  const Matched done = changed(fixture, HeldAction::requeue, only({1, 2, 3}));
  CHECK(done.matched == 3);
  CHECK(done.changed == 3);
  CHECK(held_version(fixture) > version);
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 retrying, 4 dead, 5 retrying, 6 blocked");
  CHECK(shelf.entry(1).attempts == 0);
  const HeldBatch batch = shelf.read();
  CHECK(batch.rows.messages.size() == 3);
  CHECK(attempts_text(batch) == "0 0 0");
  shelf.remove({{1, "a"}});
  CHECK(shelf.entry(2).state == retrying);

  // one that waits for its time is due at once, in front of what waits behind it
  CHECK(changed(fixture, HeldAction::requeue, only({5})).changed == 1);
  CHECK(shelf.due().find("5 6") != std::string::npos);
  CHECK(changed(fixture, HeldAction::requeue, only({4})).changed == 1);
  CHECK(shelf.entry(4).state == retrying);
  CHECK(shelf.entry(6).state == blocked);
}

void check_requeue_behind(StoreFixture& fixture) {
  // a dead letter that is tried again takes its turn: it waits for an earlier one of its key
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = retrying, .due_in = hours(1)},
              {.key = "a", .state = dead},
              {.key = "a", .state = blocked}});
  CHECK(changed(fixture, HeldAction::requeue, only({2})).changed == 1);
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 blocked");
  CHECK(shelf.due().empty());
}

void check_requeue_twice(StoreFixture& fixture) {
  // one after the other, the later row first: never two heads of a key
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = dead}, {.key = "a", .state = dead}, {.key = "b", .state = dead}});
  CHECK(changed(fixture, HeldAction::requeue, only({2})).changed == 1);
  CHECK(changed(fixture, HeldAction::requeue, only({1})).changed == 1);
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 dead");
  CHECK(shelf.due() == "1 2");
  // a relay that had the second one in hand settles it after it has lost its turn
  shelf.settle({{}, {Shelf::hold_of(2, "a", retrying)}, {}});
  CHECK(shelf.held() == "1 retrying, 2 blocked, 3 dead");
  CHECK(shelf.due() == "1 2");
  CHECK(shelf.settle({{}, {}, {{1, "a"}}}).empty());
  CHECK(shelf.held() == "2 retrying, 3 dead");
}

void check_requeue_unrouted(StoreFixture& fixture) {
  // no route takes it: there is nobody to try it again
  Shelf shelf(fixture);
  shelf.hold({{.state = unrouted, .topic = "odd"}, {.state = dead}});
  CHECK(changed(fixture, HeldAction::requeue, only({1, 2}), 10, true).matched == 1);
  CHECK(changed(fixture, HeldAction::requeue, {}).changed == 1);
  CHECK(shelf.held() == "1 unrouted, 2 retrying");
  CHECK(shelf.due() == "2");
  CHECK(changed(fixture, HeldAction::discard, only({1})).changed == 1);
  CHECK(fixture.audit() == std::vector<std::string>{"tester requeue -", "tester discard -"});
}

void check_discard(StoreFixture& fixture) {
  Shelf shelf(fixture);
  hold_assorted(shelf);
  const std::int64_t version = held_version(fixture);
  const Matched done = changed(fixture, HeldAction::discard, only({1, 7, 99}));
  CHECK(done.matched == 2);
  CHECK(done.changed == 2);
  CHECK(shelf.held() == "2 retrying, 3 dead, 4 dead, 5 scheduled");
  CHECK(held_version(fixture) > version);
  CHECK(fixture.admin()->message(std::nullopt, 1, false)->has_value());  // the row itself stays
  HeldFilter filter;
  filter.route = "orders";
  filter.topic = "carts";
  CHECK(changed(fixture, HeldAction::discard, filter).changed == 2);
  CHECK(shelf.held() == "2 retrying, 4 dead");
  filter.route = "nowhere";
  CHECK(changed(fixture, HeldAction::discard, filter).matched == 0);
  // a dead letter that blocks lets its key go
  shelf.hold({{.key = "z", .state = dead, .blocks = true}, {.key = "z", .state = blocked}});
  CHECK(changed(fixture, HeldAction::discard, only({8})).changed == 1);
  CHECK(shelf.entry(9).state == retrying);
}

void check_rows_max(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold(std::vector<Wanted>(10, {.key = "a", .state = dead}));
  const Matched some = changed(fixture, HeldAction::discard, {}, 4);
  CHECK(some.matched == 10);
  CHECK(some.changed == 4);
  CHECK(shelf.held() == "5 dead, 6 dead, 7 dead, 8 dead, 9 dead, 10 dead");
  CHECK(changed(fixture, HeldAction::requeue, {}, 2).changed == 2);
  CHECK(shelf.held() == "5 retrying, 6 blocked, 7 dead, 8 dead, 9 dead, 10 dead");
}

void check_pause(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->set_paused("orders", true, "tester").error().fault == Fault::refused);
  const Holder holder = holder_of(fixture, "relay-1");
  REQUIRE(admin->set_paused("orders", true, "tester"));
  CHECK(fixture.admin()->routes()->front().paused);
  CHECK(grant_of(*holder.store, request_of("relay-1")).paused);
  REQUIRE(admin->set_paused("orders", false, "tester"));
  CHECK_FALSE(fixture.admin()->routes()->front().paused);
}

std::vector<std::string> payloads_from_here(StoreFixture& fixture) {
  Holder holder = holder_of(fixture, "relay-2");
  std::vector<std::string> payloads = read_all(holder);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  REQUIRE(holder.store->release(holder.lease));
  return payloads;
}

/// Five rows, one to five, of January 1st to 5th, all sent.
Holder five_sent(StoreFixture& fixture) {
  for (int i = 1; i <= 5; ++i) {
    const std::string number = std::to_string(i);
    fixture.writer()->commit_rows({{.key = "k", .payload = number}});
    fixture.execute("UPDATE outbox SET created_at = '2026-01-0" + number +
                    "T00:00:00.000Z' WHERE seq = " + number);
  }
  Holder holder = holder_of(fixture, "relay-1");
  CHECK(read_all(holder).size() == 5);
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  return holder;
}

using Payloads = std::vector<std::string>;

void check_replay(StoreFixture& fixture) {
  const Holder holder = five_sent(fixture);
  const auto admin = fixture.admin();
  const auto dry = admin->replay("orders", from_seq(3), true, "tester");
  REQUIRE_MESSAGE(dry, dry.error().text);
  CHECK(dry->matched == 3);
  CHECK(dry->changed == 0);
  CHECK(holder.store->renew(holder.lease));
  CHECK(fixture.admin()->backlog("orders")->pending == 0);

  const auto done = admin->replay("orders", from_seq(3), false, "tester");
  REQUIRE_MESSAGE(done, done.error().text);
  CHECK(done->matched == 3);
  CHECK(holder.store->renew(holder.lease).error().fault == Fault::fenced);
  CHECK(fixture.admin()->backlog("orders")->pending == 3);
  CHECK(payloads_from_here(fixture) == Payloads{"3", "4", "5"});
  CHECK(payloads_from_here(fixture).empty());

  REQUIRE(admin->replay("orders", from_time("2026-01-04T01:00:00+01:00"), false, "tester"));
  CHECK(payloads_from_here(fixture) == Payloads{"4", "5"});
  REQUIRE(admin->replay("orders", from_time("2026-01-04T00:00:01Z"), false, "tester"));
  CHECK(payloads_from_here(fixture) == Payloads{"5"});
  REQUIRE(admin->replay("orders", from_oldest, false, "tester"));
  CHECK(payloads_from_here(fixture).size() == 5);
}

void check_replays_are_numbered(StoreFixture& fixture) {
  // so that brokers which remember ids can tell it from the first time; rows that come later have had none
  const auto replays = [&] { return grant_of(*fixture.store(), request_of("relay-1")).replays; };
  five_sent(fixture);
  CHECK(replays().of(5) == 0);
  const auto admin = fixture.admin();
  REQUIRE(admin->replay("orders", from_seq(4), true, "tester"));
  CHECK(replays().of(5) == 0);
  REQUIRE(admin->replay("orders", from_seq(4), false, "tester"));
  CHECK(replays().of(5) == 1);
  fixture.writer()->commit_rows({{.payload = "6"}});
  CHECK(replays().of(5) == 1);  // the same for who takes over
  CHECK(replays().of(6) == 0);
  REQUIRE(admin->rebase("orders", from_oldest, false, "tester"));
  CHECK(replays().of(6) == 2);
  REQUIRE(admin->rebase("orders", from_now, false, "tester"));
  CHECK(replays().of(6) == 2);
  // and of the route, however many shards it has
  LeaseRequest request = request_of("relay-1");
  request.shards = 2;
  for (request.shard = 0; request.shard < 2; ++request.shard)
    CHECK(grant_of(*fixture.store(), request).replays.of(6) == 2);
}

void check_replay_unsent(StoreFixture& fixture) {
  Holder holder = five_sent(fixture);
  fixture.writer()->commit_rows({{.payload = "6"}, {.payload = "7"}, {.payload = "8"}});
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(holder.store->settle(holder.lease, {batch->cursor, batch->messages[0].seq}, {}));
  // 7 was never sent
  REQUIRE(fixture.admin()->replay("orders", from_seq(8), false, "tester"));
  CHECK(payloads_from_here(fixture) == Payloads{"7", "8"});
}

void check_replay_held(StoreFixture& fixture) {
  Shelf shelf(fixture);
  shelf.hold({{.key = "a", .state = dead},
              {.key = "b", .state = retrying, .due_in = hours(1)},
              {.key = "b", .state = blocked},
              {.key = "c", .state = dead},
              {.state = unrouted, .topic = "odd"}});
  REQUIRE(fixture.admin()->replay("orders", from_seq(3), false, "tester"));
  CHECK(shelf.held() == "1 dead, 2 retrying, 5 unrouted");
}

void check_replay_refused(StoreFixture& fixture) {
  const Holder holder = five_sent(fixture);
  const auto admin = fixture.admin();
  const auto refused = [&](const std::string& route, const MarkPlace& from) {
    const auto result = admin->replay(route, from, false, "tester");
    return !result && result.error().fault == Fault::refused;
  };
  CHECK(refused("nowhere", from_oldest));
  CHECK(refused("orders", from_now));
  CHECK(refused("orders", from_seq(6)));
  CHECK(refused("orders", from_time("2026-01-06T00:00:00Z")));
  CHECK(refused("orders", from_time("yesterday")));
  CHECK(holder.store->renew(holder.lease));
}

void check_rebase(StoreFixture& fixture) {
  const Holder holder = five_sent(fixture);
  fixture.writer()->commit_rows({{.payload = "6"}, {.payload = "7"}});
  const auto admin = fixture.admin();
  const auto dry = admin->rebase("orders", from_now, true, "tester");
  REQUIRE_MESSAGE(dry, dry.error().text);
  CHECK(dry->matched == 0);
  CHECK(holder.store->renew(holder.lease));
  REQUIRE(admin->rebase("orders", from_now, false, "tester"));
  CHECK(holder.store->renew(holder.lease).error().fault == Fault::fenced);
  CHECK(payloads_from_here(fixture).empty());  // ahead: nobody asks again whether 6 and 7 were sent
  fixture.writer()->commit_rows({{.payload = "8"}});
  CHECK(payloads_from_here(fixture) == Payloads{"8"});
  const auto done = admin->rebase(std::nullopt, from_seq(6), false, "tester");
  REQUIRE_MESSAGE(done, done.error().text);
  CHECK(done->matched == 3);
  CHECK(payloads_from_here(fixture) == Payloads{"6", "7", "8"});
  REQUIRE(admin->rebase("orders", from_time("2026-01-05T00:00:00Z"), false, "tester"));
  CHECK(payloads_from_here(fixture) == Payloads{"5", "6", "7", "8"});
  REQUIRE(admin->rebase("orders", from_oldest, false, "tester"));
  CHECK(payloads_from_here(fixture).size() == 8);
  CHECK(admin->rebase("nowhere", from_now, false, "tester").error().fault == Fault::refused);
  // a typing error must not pass over what is unsent
  CHECK(admin->rebase("orders", from_seq(99), false, "tester").error().fault == Fault::refused);
}

void check_rebase_routes(StoreFixture& fixture) {
  fixture.writer()->commit_rows({{.payload = "1"}, {.payload = "2"}});
  LeaseRequest request = request_of("relay-1");
  Holder orders = holder_of(fixture, request);
  request.route = "audit";
  request.shards = 2;
  Holder audit = holder_of(fixture, request);
  REQUIRE(fixture.admin()->rebase(std::nullopt, from_now, false, "tester"));
  for (Holder* holder : {&orders, &audit})
    CHECK(holder->store->renew(holder->lease).error().fault == Fault::fenced);
  for (request.shard = 0; request.shard < 2; ++request.shard) {
    Holder again = holder_of(fixture, request);
    CHECK(read_all(again).empty());
  }
  CHECK(payloads_from_here(fixture).empty());
}

}  // namespace

void operator_suite(StoreFixture& fixture) {
  SUBCASE("what is held is listed as it was filtered") {
    check_list(fixture);
  }
  SUBCASE("a long list comes in pages") {
    check_pages(fixture);
  }
  SUBCASE("a message is shown, its payload only when asked for") {
    check_message(fixture);
  }
  SUBCASE("what is requeued is tried at once, in the order of its key") {
    check_requeue(fixture);
  }
  SUBCASE("what is requeued waits for earlier rows of its key") {
    check_requeue_behind(fixture);
  }
  SUBCASE("what is requeued row by row leaves one head of its key") {
    check_requeue_twice(fixture);
  }
  SUBCASE("what no route takes is not requeued") {
    check_requeue_unrouted(fixture);
  }
  SUBCASE("what is discarded lets its key go on") {
    check_discard(fixture);
  }
  SUBCASE("a change stops at its bound, the oldest first") {
    check_rows_max(fixture);
  }
  SUBCASE("a pause is kept") {
    check_pause(fixture);
  }
  SUBCASE("a replay sends again from a row or a time on, and fences the holder") {
    check_replay(fixture);
  }
  SUBCASE("replays are numbered, and what came later is part of none") {
    check_replays_are_numbered(fixture);
  }
  SUBCASE("a replay passes no row that was never sent") {
    check_replay_unsent(fixture);
  }
  SUBCASE("a replay lets go what comes again by itself") {
    check_replay_held(fixture);
  }
  SUBCASE("a replay of nothing is refused") {
    check_replay_refused(fixture);
  }
  SUBCASE("a rebase puts the mark where it is told, also ahead") {
    check_rebase(fixture);
  }
  SUBCASE("a rebase moves every shard of every route") {
    check_rebase_routes(fixture);
  }
}

}  // namespace outbox::test
