// What the relay makes of a topic that the broker does not take: its rows wait in outbox_held, all others go
// on.
#include <chrono>

#include <doctest/doctest.h>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

const Wanted bad{{}, {}, "bad"};

/// Row 1 was refused because of its topic, and that is written.
RelayDriver in_trouble(RelayOptions options = brief()) {
  options.window = 16;
  RelayDriver relay(std::move(options));
  relay.started().reads({bad, {}}).refuses_topic_of(1).settled();
  return relay;
}

}  // namespace

TEST_CASE("a topic that is refused holds its row uncharged, and stops no other one") {
  for (const Verdict verdict : {Verdict::misconfigured, Verdict::unavailable}) {
    RelayDriver relay;
    CHECK(relay.started().reads({{"k", {}, "bad"}, {"k"}, {}}).published() == "1 3");
    CHECK(relay.refuses_topic_of(1, verdict).holds() == "1 retrying, 2 blocked");
    CHECK(relay.first_hold().attempts == 0);
    CHECK(relay.first_hold().topic == "bad");
    CHECK(relay.first_hold().last_error == "no such topic");
    CHECK(*relay.first_hold().due_in <= 10s);
    CHECK(relay.status().state == RouteState::running);
    REQUIRE(relay.status().topics.size() == 1);
    CHECK(relay.status().topics[0].topic == "bad");
    CHECK(relay.status().topics[0].reason == "no such topic");
  }
}

TEST_CASE("rows of a topic in trouble join it without being tried, all others go out") {
  RelayDriver relay = in_trouble();
  CHECK(relay.wait_ends().reads({bad, {}, bad}).published() == "4");
  CHECK(relay.accepts({2, 4}).status().topics[0].reason == "no such topic");
}

TEST_CASE("one row at a time finds out whether the topic is mended, and then all are due") {
  RelayDriver relay = in_trouble();
  relay.accepts({2}).pass(20ms).settled();
  for (int round = 0; round < 20; ++round) {
    relay.pass_renewing(11s);
    CHECK(relay.reads_held({{1, {}, 0, {}, {}, "bad"}, {5, {}, 0, {}, {}, "bad"}}).published() == "1");
    CHECK(relay.holds() == "changed 5 retrying");
    CHECK(relay.settled().refuses_topic_of(1).holds() == "changed 1 retrying");
    CHECK(relay.first_hold().attempts == 0);
    relay.settled();
  }
  relay.pass_renewing(11s);
  CHECK(relay.reads_held({{1, {}, 0, {}, {}, "bad"}}).accepts({1}).holds() == "removed 1");
  CHECK(relay.commands().settle->held.mended == std::vector<std::string>{"bad"});
}

TEST_CASE("a probe whose answer is lost is out again") {
  RelayDriver relay = in_trouble();
  relay.accepts({2}).pass(20ms).settled().pass(1s);
  CHECK(relay.reads_held({{1, {}, 0, {}, {}, "bad"}}).published() == "1");
  relay.session_breaks().settled().pass_renewing(1s).connected().pass_renewing(1s);
  CHECK(relay.reads_held({{1, {}, 0, {}, {}, "bad"}}).published() == "1");
}

TEST_CASE("an acceptance mends the topic, and is written with the next settle") {
  RelayDriver relay = in_trouble();
  relay.wait_ends().pass(1s);
  CHECK(relay.reads({bad, bad}).published() == "3");  // whose turn it is to try
  REQUIRE(relay.accepts({3, 2}).commands().settle);
  CHECK(relay.commands().settle->held.mended == std::vector<std::string>{"bad"});
  CHECK(relay.status().topics.empty());
}
