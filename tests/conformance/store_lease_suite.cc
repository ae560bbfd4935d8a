#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "adapters/common/owner.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

/// The owner string of a process that has just ended.
std::string dead_owner() {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string owner = this_owner();
    _exit(write(ends[1], owner.data(), owner.size()) > 0 ? 0 : 1);
  }
  close(ends[1]);
  waitpid(child, nullptr, 0);
  std::array<char, 512> text{};
  const auto size = read(ends[0], text.data(), text.size());
  close(ends[0]);
  REQUIRE(size > 0);
  return {text.data(), static_cast<std::size_t>(size)};
}

void check_held(StoreFixture& fixture) {
  Holder first = holder_of(fixture, "relay-1");
  const auto second = fixture.store();
  const LeaseHolder holder = refusal_of(*second, request_of("relay-2"));
  CHECK(holder.owner == "relay-1");
  CHECK(holder.epoch == first.lease.epoch);
  CHECK(refusal_of(*second, request_of("relay-2")) == holder);  // asking does not move it

  REQUIRE(first.store->renew(first.lease));
  const LeaseHolder renewed = refusal_of(*second, request_of("relay-2"));
  CHECK(renewed.beat != holder.beat);
  REQUIRE(first.store->settle(first.lease, first.mark, {}));
  CHECK(refusal_of(*second, request_of("relay-2")).beat != renewed.beat);
}

void check_release(StoreFixture& fixture) {
  Holder first = holder_of(fixture, "relay-1");
  REQUIRE(first.store->release(first.lease));
  const auto second = fixture.store();
  CHECK(grant_of(*second, request_of("relay-2")).lease.epoch > first.lease.epoch);
  CHECK(refusal_of(*first.store, request_of("relay-1")).owner == "relay-2");
}

void check_same_owner(StoreFixture& fixture) {
  Holder first = holder_of(fixture, "relay-1");
  const auto second = fixture.store();
  const Granted again = grant_of(*second, request_of("relay-1"));
  CHECK(again.lease.epoch > first.lease.epoch);
  CHECK(first.store->renew(first.lease).error().fault == Fault::fenced);
  CHECK(second->renew(again.lease));
}

void check_expired(StoreFixture& fixture) {
  Holder first = holder_of(fixture, "relay-1");
  const auto second = fixture.store();
  LeaseRequest request = request_of("relay-2");
  const LeaseHolder seen = refusal_of(*second, request);
  REQUIRE(first.store->renew(first.lease));
  request.expired = seen;
  const LeaseHolder now = refusal_of(*second, request);  // it has moved: it is alive
  for (const LeaseHolder& wrong :
       {LeaseHolder{"relay-3", now.epoch, now.beat}, LeaseHolder{now.owner, now.epoch + 1, now.beat},
        LeaseHolder{now.owner, now.epoch, now.beat - 1}}) {
    request.expired = wrong;
    CHECK(refusal_of(*second, request) == now);
  }
  request.expired = now;
  const Granted taken = grant_of(*second, request);
  CHECK(taken.lease.epoch > first.lease.epoch);
  CHECK(first.store->renew(first.lease).error().fault == Fault::fenced);
}

void check_fenced(StoreFixture& fixture) {
  fixture.writer()->commit_rows({{.payload = "a"}, {.payload = "b"}});
  Holder old = holder_of(fixture, "relay-1");
  const auto batch = old.store->read(old.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 2);

  const auto store = fixture.store();
  LeaseRequest request = request_of("relay-2");
  request.expired = refusal_of(*store, request);
  const Granted taken = grant_of(*store, request);
  const LeaseHolder before = refusal_of(*fixture.store(), request_of("relay-3"));

  Hold hold = hold_of(batch->messages[0], HeldState::dead);
  hold.last_error = "no";
  CHECK(old.store->settle(old.lease, batch->end, {}).error().fault == Fault::fenced);
  CHECK(old.store->settle(old.lease, batch->end, {{hold}, {}, {}}).error().fault == Fault::fenced);
  CHECK(old.store->renew(old.lease).error().fault == Fault::fenced);
  CHECK(old.store->release(old.lease).error().fault == Fault::fenced);

  CHECK(refusal_of(*fixture.store(), request_of("relay-3")) == before);
  const Granted again = grant_of(*store, request_of("relay-2"));
  CHECK(again.mark == taken.mark);
  CHECK(fixture.admin()->backlog("orders")->pending == 2);
}

void check_gone(StoreFixture& fixture) {
  const std::string owner = dead_owner();
  REQUIRE(provably_gone(owner));
  Holder first = holder_of(fixture, owner);
  const auto second = fixture.store();
  CHECK(grant_of(*second, request_of(this_owner())).lease.epoch > first.lease.epoch);
  CHECK(refusal_of(*fixture.store(), request_of("relay-3")).owner == this_owner());
}

void check_holds(StoreFixture& fixture) {
  fixture.writer()->commit_rows({{.key = "k\"1,{}\\"}, {}, {.key = ""}});
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 3);
  std::vector<Hold> holds = {hold_of(batch->messages[0], HeldState::retrying),
                             hold_of(batch->messages[1], HeldState::scheduled),
                             hold_of(batch->messages[2], HeldState::dead)};
  holds[0].attempts = 2;
  holds[0].due_in = std::chrono::seconds(5);
  holds[0].last_error = "turned \"away\", \\ and {back}, NULL";
  holds[2].last_error = "NULL";
  REQUIRE(holder.store->settle(holder.lease, batch->end, {holds, {}, {}}));
  CHECK(holder.store->settle(holder.lease, batch->end,
                             {holds, {}, {}}));  // held again: the same rows, not more
  CHECK(fixture.admin()->backlog("orders")->pending == 0);
  CHECK(holder_of(fixture).mark == batch->end);
}

void check_routes(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  CHECK(admin->routes()->empty());
  CHECK(admin->set_paused("orders", true, "tester").error().fault == Fault::refused);
  Holder holder = holder_of(fixture, "relay-1");
  auto routes = admin->routes();
  REQUIRE(routes);
  REQUIRE(routes->size() == 1);
  CHECK(routes->front().route == "orders");
  CHECK(routes->front().owner == "relay-1");
  CHECK(routes->front().epoch == holder.lease.epoch);
  CHECK_FALSE(routes->front().paused);
  REQUIRE(admin->set_paused("orders", true, "tester"));
  CHECK(grant_of(*holder.store, request_of("relay-1")).paused);
  CHECK(admin->routes()->front().paused);
  REQUIRE(admin->set_paused("orders", false, "tester"));
  CHECK_FALSE(grant_of(*holder.store, request_of("relay-1")).paused);
}

void check_send(StoreFixture& fixture) {
  const auto admin = fixture.admin();
  NewRow row;
  row.topic = "orders";
  row.key = "k";
  row.payload = std::string("\0\xff'\\", 4);
  row.content_type = "application/octet-stream";
  row.headers = {{"a", "it's"}, {"b", "\"\\"}};
  row.id = "01234567-89ab-cdef-0123-456789abcdef";
  auto sent = admin->send(row);
  REQUIRE_MESSAGE(sent, sent.error().text);
  CHECK(*sent == *row.id);
  NewRow plain;
  plain.topic = "orders";
  plain.deliver_at = "9999-12-31T23:59:59Z";
  auto drawn = admin->send(plain);
  REQUIRE_MESSAGE(drawn, drawn.error().text);

  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 2);
  const Message& first = batch->messages[0];
  CHECK(first.id_text() == *row.id);
  CHECK(first.key == "k");
  CHECK(first.payload == row.payload);
  CHECK(first.content_type == "application/octet-stream");
  CHECK(first.headers.size() == 2);
  CHECK(batch->messages[1].id_text() == *drawn);
  CHECK(batch->messages[1].payload == "");
  CHECK(batch->messages[1].due_in > std::chrono::hours(24));
  // the relay adds it to its clock
  CHECK(batch->messages[1].due_in < Duration::max() - now().time_since_epoch());
}

void check_given_back(StoreFixture& fixture) {
  Holder holder = holder_of(fixture, "relay-1");
  fixture.writer()->commit_rows({{.key = "a"}});
  CHECK(read_all(holder).size() == 1);
  REQUIRE(holder.store->release(holder.lease));
  HeldWrites writes;
  writes.holds.emplace_back().seq = 1;
  for (const HeldWrites& held : {HeldWrites{}, writes})
    CHECK(holder.store->settle(holder.lease, holder.mark, held).error().fault == Fault::fenced);
  CHECK(holder.store->renew(holder.lease).error().fault == Fault::fenced);
  CHECK(holder.store->release(holder.lease).error().fault == Fault::fenced);
  const auto heir = fixture.store();
  CHECK(grant_of(*heir, request_of("relay-2")).mark != holder.mark);
  CHECK(fixture.admin()->held_counts("orders")->empty());
}

}  // namespace

void store_lease_suite(StoreFixture& fixture) {
  SUBCASE("a held lease is not granted, and its holder's signs of life are seen") {
    check_held(fixture);
  }
  SUBCASE("a released lease is granted at once") {
    check_release(fixture);
  }
  SUBCASE("an owner gets its own lease again, under a new epoch") {
    check_same_owner(fixture);
  }
  SUBCASE("an expired lease is taken only if it is still as it was seen") {
    check_expired(fixture);
  }
  SUBCASE("a stale epoch changes nothing") {
    check_fenced(fixture);
  }
  SUBCASE("who has given the lease back writes nothing more") {
    check_given_back(fixture);
  }
  SUBCASE("the lease of a process that is gone is granted at once") {
    check_gone(fixture);
  }
  SUBCASE("holds are stored with the mark") {
    check_holds(fixture);
  }
  SUBCASE("routes are listed, paused and resumed") {
    check_routes(fixture);
  }
  SUBCASE("what an operator sends is a row like any other") {
    check_send(fixture);
  }
}

}  // namespace outbox::test
