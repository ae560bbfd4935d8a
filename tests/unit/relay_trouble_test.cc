// What a route says of a trouble, and for how long.
#include <doctest/doctest.h>

#include <chrono>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

TEST_CASE("a session that comes up and breaks with each message ends no trouble") {
  RelayDriver relay;
  relay.started().reads({{}});
  for (int i = 0; i < 5; ++i) {
    relay.answers(1, Verdict::unavailable, "disk full").session_ends(Session::State::down, "disk full");
    CHECK(relay.pass_renewing(1s).connected().status().state == RouteState::backoff);
    CHECK(relay.status().reasons == std::vector<std::string>{"disk full"});
  }
  CHECK(relay.accepts({1}).status().state == RouteState::running);
}

TEST_CASE("a session that comes up while nothing waits ends the trouble") {
  RelayDriver relay;
  relay.started().reads_nothing();
  relay.session_ends(Session::State::down, "gone").pass(100ms);
  CHECK(relay.status().last_error == "gone");
  CHECK(relay.connected().status().state == RouteState::running);
  CHECK(relay.status().last_error.empty());
}

TEST_CASE("a broker that refuses a message for good is in no trouble any more") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  relay.session_breaks().pass(100ms).connected();
  CHECK(relay.status().state == RouteState::backoff);
  CHECK(relay.answers(1, Verdict::rejected).status().state == RouteState::running);
}

TEST_CASE("the last error tells how long ago it was, and is gone with what it speaks of") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  relay.answers(1, Verdict::unavailable, "down").pass(50ms);
  CHECK(relay.status().last_error == "down");
  CHECK(relay.status().last_error_seconds == doctest::Approx(0.05));
  CHECK(relay.pass_renewing(1s).accepts({2}).accepts({1}).status().last_error.empty());
}

TEST_CASE("the last error of a row stays until no row is held any more") {
  RelayDriver relay;
  relay.started().reads({{}, {}}).accepts({2}).answers(1, Verdict::rejected, "too large");
  CHECK(relay.status().last_error.ends_with("too large"));
  CHECK(relay.settles() == 2);
  CHECK(relay.settled().status().last_error.ends_with("too large"));
  CHECK(relay.last_dead().ends_with("too large"));
  relay.wait_ends(Woken::timeout).held_changes().counted({});
  CHECK(relay.status().last_error.empty());
}

TEST_CASE("what was said of the database or the lease is forgotten once they are there again") {
  RelayDriver relay;
  relay.started().read_fails();
  CHECK_FALSE(relay.status().last_error.empty());
  relay.pass(100ms).granted();
  CHECK(relay.status().last_error.empty());
  relay.read_fails(Fault::fenced);
  CHECK_FALSE(relay.status().last_error.empty());
  CHECK(relay.granted().status().last_error.empty());
}
