// How the relay comes to an end: stop in every phase, and once.
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

RelayOptions only_once() {
  RelayOptions options = brief();
  options.once = true;
  return options;
}

}  // namespace

TEST_CASE("stop waits for acknowledgements, saves the mark, gives the lease back") {
  RelayDriver relay;
  CHECK(relay.started().reads({{}, {}, {}, {}, {}}).published() == "1 2 3 4");
  relay.stop();
  CHECK(relay.status().state == RouteState::draining);
  CHECK_FALSE(relay.commands().release);
  relay.accepts({1, 2}).settled();
  CHECK(relay.published() == "");
  CHECK_FALSE(relay.commands().read);
  CHECK_FALSE(relay.accepts({3}).commands().release);
  CHECK(relay.accepts({4}).settles() == 4);  // at once, without waiting for the interval
  CHECK_FALSE(relay.commands().release);
  CHECK(relay.settled().commands().release);
  CHECK_FALSE(relay.commands().finished);
  CHECK(relay.released().commands().finished);
}

TEST_CASE("stop waits for the read under way before it gives the lease back") {
  RelayDriver relay;
  CHECK_FALSE(relay.started().stop().commands().release);
  CHECK(relay.reads({{}}).commands().release);
  CHECK(relay.published() == "");
}

TEST_CASE("an idle relay stops at once") {
  RelayDriver relay;
  CHECK(relay.started().reads_nothing().stop().commands().release);
  CHECK(relay.wait_ends(Woken::interrupted).released().commands().finished);
}

TEST_CASE("a relay without a lease stops at once") {
  RelayDriver relay;
  CHECK(relay.acquire_fails().stop().commands().finished);
}

TEST_CASE("a relay that stands by stops at once") {
  RelayDriver relay;
  CHECK(relay.held_by("other").stop().commands().finished);
}

TEST_CASE("a lease that is granted while stopping is given back") {
  RelayDriver relay;
  CHECK_FALSE(relay.stop().commands().finished);
  CHECK(relay.granted().commands().release);
  CHECK_FALSE(relay.commands().connect);
  CHECK(relay.released().commands().finished);
}

TEST_CASE("a relay that has lost its lease stops once the store owes it nothing") {
  RelayDriver relay;
  relay.started().reads({{}, {}}, true).accepts({1});
  CHECK_FALSE(relay.stop().settle_fails().commands().finished);
  CHECK(relay.read_fails().commands().finished);
}

TEST_CASE("a lease that cannot be given back is no reason to stay") {
  RelayDriver relay;
  relay.started().reads_nothing().stop();
  CHECK(relay.release_fails().commands().finished);
}

TEST_CASE("acknowledgements that do not come are waited for as long as drain_timeout says") {
  RelayDriver relay;
  relay.started().reads({{}}).stop();
  CHECK(relay.wakes_in() == Duration(8s) / 3);  // the lease is kept meanwhile
  CHECK(relay.pass(4s).commands().renew);
  CHECK_FALSE(relay.renewed().commands().release);
  CHECK(relay.wakes_in() == 1s);
  CHECK(relay.pass(1s).commands().release);
}

TEST_CASE("a store that answers nothing is waited for twice as long, then no more") {
  RelayDriver relay;
  CHECK_FALSE(relay.stop().pass(5s).commands().finished);
  CHECK(relay.wakes_in() == 5s);
  CHECK(relay.pass(5s).commands().finished);
}

TEST_CASE("a second stop changes nothing") {
  RelayDriver relay;
  relay.started().reads({{}}).stop().pass(2s).stop();
  CHECK(relay.pass(3s).commands().renew);
  CHECK(relay.renewed().commands().release);
}

TEST_CASE("once finishes when everything is settled") {
  RelayDriver relay(only_once());
  relay.started().reads({{}, {}}, true).accepts({1, 2}).settled();
  relay.reads({{}});
  CHECK_FALSE(relay.commands().wait);
  CHECK_FALSE(relay.commands().release);
  CHECK(relay.accepts({3}).settles() == 3);  // at once, without waiting for the interval
  CHECK(relay.settled().commands().release);
  CHECK(relay.released().commands().finished);
  CHECK(relay.all_through());
}

TEST_CASE("once with nothing to do finishes without a broker") {
  RelayDriver relay(only_once());
  CHECK(relay.granted().reads_nothing().commands().release);
  CHECK(relay.released().commands().finished);
}

TEST_CASE("once waits for held rows that are due soon") {
  RelayDriver relay(only_once());
  relay.started().reads({{}, {}}).accepts({2}).answers(1, Verdict::retry);
  CHECK(relay.holds() == "1 retrying");
  CHECK_FALSE(relay.settled().commands().release);
  relay.pass(100ms).reads_held({{1, {}, 1}}).accepts({1}).settled().pass(20ms).reads_held({});
  CHECK(relay.released().commands().finished);
}

TEST_CASE("once does not wait for a row that is scheduled for much later") {
  RelayDriver relay(only_once());
  relay.started().reads({{{}, 1h}});
  CHECK(relay.settled().commands().release);
}

TEST_CASE("once ends with a dead letter, and counts it as held") {
  RelayDriver relay(only_once());
  relay.started().reads({{}, {}}).accepts({1});
  relay.answers(2, Verdict::rejected, "too large").settled().settled();
  CHECK(relay.released().commands().finished);
  CHECK(relay.held_total() == 1);
}

TEST_CASE("what was acknowledged when the time to drain is up is saved before the lease is given back") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}}).accepts({1}).settled().stop();
  relay.pass(3s).renewed();
  relay.pass(Duration(2s) - 1ms).accepts({2}).settled();
  CHECK_FALSE(relay.accepts({3}).settles());
  CHECK(relay.pass(1ms).settles() == 3);
  CHECK_FALSE(relay.commands().release);
  CHECK(relay.settled().commands().release);
}

TEST_CASE("once starts over when it loses its session before the last mark is saved") {
  RelayDriver relay(only_once());
  relay.started().reads({{}}).accepts({1});
  CHECK_FALSE(relay.settle_fails().commands().finished);
  CHECK_FALSE(relay.all_through());
  CHECK(relay.pass(100ms).granted().reads({{}}).published() == "1");
}

TEST_CASE("answers that come after the end are taken no notice of") {
  RelayDriver relay;
  CHECK(relay.stop().pass(10s).commands().finished);
  CHECK(relay.granted().commands().finished);
  CHECK_FALSE(relay.commands().release);
}
