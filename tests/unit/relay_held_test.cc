// What the relay makes of held rows: when it looks for them, in which order they go out, what it writes of
// them.
#include <chrono>

#include <doctest/doctest.h>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

HeldKeys holding(std::vector<std::string> keys, std::int64_t rows, std::optional<Duration> due_in) {
  return {std::move(keys), rows, 0, due_in};
}

/// Holds the lease, is connected, and has asked for the held rows that are due.
RelayDriver with_held(std::vector<std::string> keys, RelayOptions options = brief()) {
  RelayDriver relay(std::move(options));
  relay.granted(0, false, holding(std::move(keys), 1, 0s)).connected();
  return relay;
}

}  // namespace

TEST_CASE("nothing is read from the log before it is known which keys are held") {
  RelayDriver relay;  // the driver checks it in granted()
  CHECK(relay.granted().commands().read);
}

TEST_CASE("later rows of a key that the database holds go there too") {
  RelayDriver relay = with_held({"k"});
  CHECK(relay.reads({{"k"}, {"other"}}).published() == "2");
  CHECK(relay.settles() == 1);
  CHECK(relay.holds() == "1 blocked");
}

TEST_CASE("held rows go out one by one per key, several keys at a time") {
  RelayDriver relay = with_held({"k", "m"});
  CHECK(relay.reads_held({{1, "k"}, {2, "k"}, {3, "m"}}).published() == "1 3");
  CHECK(relay.accepts({1}).published() == "2");
  CHECK(relay.holds() == "removed 1");
  CHECK(relay.accepts({2, 3}).settled().holds() == "removed 2, removed 3");
}

TEST_CASE("held rows keep to one in flight per key in an ordered pipeline as well") {
  RelayDriver relay = with_held({"k"}, brief_and_ordered());
  CHECK(relay.reads_held({{1, "k"}, {2, "k"}}).published() == "1");
}

TEST_CASE("a key is free only once it is written that its last held row is gone") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{1, "k"}}).accepts({1});
  CHECK(relay.holds() == "removed 1");
  CHECK(relay.reads({{"k"}}, true).published() ==
        "");  // a crash now would send row 1 once more, after this one
  CHECK(relay.settled({"k"}).reads({{"k"}}).published() == "");
  CHECK(relay.holds() == "1 blocked, 2 blocked");
}

TEST_CASE("a key that was freed flows again") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{1, "k"}}).accepts({1}).settled({"k"});
  CHECK(relay.reads({{"k"}}).published() == "1");
}

TEST_CASE("a held row that is turned away waits longer, and its followers are left alone") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{11, "k", 1}, {12, "k"}}).reads({{}}).accepts({1}).settled();
  relay.answers(11, Verdict::retry, "queue full");
  CHECK(relay.published() == "");
  CHECK(relay.holds() == "changed 11 retrying");
  CHECK(relay.first_hold().attempts == 2);
  CHECK(*relay.first_hold().due_in >= 100ms);
  CHECK(*relay.first_hold().due_in <= 200ms);
  CHECK_FALSE(relay.settled().commands().read_held);
  CHECK(relay.pass(200ms).commands().read_held);
}

TEST_CASE("the last attempt of a held row makes a dead letter, which blocks its key only if it is told to") {
  for (const bool dead_blocks : {false, true}) {
    auto options = brief();
    options.dead_blocks = dead_blocks;
    RelayDriver relay = with_held({"k"}, options);
    relay.reads_held({{11, "k", 2}}).reads({{}}).accepts({1}).settled();
    relay.answers(11, Verdict::retry, "queue full");
    CHECK(relay.holds() == "changed 11 dead");
    CHECK(relay.first_hold().attempts == 3);
    CHECK(relay.first_hold().blocks == dead_blocks);
  }
}

TEST_CASE("what follows a dead letter goes out only once it is written that the letter is dead") {
  RelayDriver relay;
  CHECK(relay.started().reads({{"k"}, {"k"}}).published() == "1");
  CHECK(relay.answers(1, Verdict::rejected).published() == "");
  CHECK(relay.holds() == "1 dead, 2 blocked");
  CHECK(relay.settled().commands().read_held);
  CHECK(relay.reads_held({{2, "k"}}).published() == "2");
}

TEST_CASE("an outage uses no attempt of a held row") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{1, "k", 2}});
  for (int i = 0; i < 5; ++i) {
    relay.answers(1, Verdict::unavailable, "down");
    CHECK(relay.holds() == "");
    relay.pass_renewing(1s);
  }
  CHECK(relay.accepts({1}).holds() == "removed 1");
}

TEST_CASE("a row that has left its key's order blocks nobody when it fails") {
  RelayDriver relay = with_held({});
  HeldWanted wanted{1, "k"};
  wanted.blocks = false;
  relay.reads_held({wanted}).answers(1, Verdict::retry);
  CHECK(relay.holds() == "changed 1 retrying");
  CHECK_FALSE(relay.first_hold().blocks);
}

TEST_CASE("a held row whose row is gone is a dead letter with that reason") {
  RelayDriver relay = with_held({});
  relay.reads_held({{1, {}, 1, {}, "its row is no longer in the outbox"}});
  CHECK(relay.published() == "");
  CHECK(relay.holds() == "changed 1 dead");
  CHECK(relay.first_hold().last_error == "its row is no longer in the outbox");
}

TEST_CASE("held rows are looked for when they are due, and not while nothing can be published") {
  RelayDriver relay;
  relay.granted(0, false, holding({"k"}, 1, 3s)).connected().reads_nothing();
  CHECK_FALSE(relay.commands().read_held);
  CHECK(relay.wakes_in() <= 3s);
  relay.pause();
  CHECK_FALSE(relay.pass_renewing(3s).commands().read_held);
  CHECK(relay.resume().commands().read_held);
}

TEST_CASE("they are looked for again when an operator has changed what is held") {
  RelayDriver relay;
  relay.started().reads_nothing();
  CHECK(relay.held_changes().commands().held_keys);
  CHECK(relay.counted(holding({"k"}, 1, 0s)).commands().read_held);
  CHECK(relay.wait_ends().reads({{"k"}}).published() == "");
}

TEST_CASE("held rows are not looked for again before all that was found is written") {
  RelayDriver relay = with_held({"k"});
  CHECK(relay.reads_held({{1, "k"}}).published() == "1");
  relay.held_changes().counted(holding({"k"}, 1, 0s)).pass(brief().settle_interval);
  CHECK_FALSE(relay.commands().read_held);  // it is still out
  CHECK(relay.accepts({1}).holds() == "removed 1");
  CHECK_FALSE(relay.commands().read_held);
  CHECK(relay.settled({"k"}).commands().read_held);
}

TEST_CASE("what falls due one by one is read together") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{101, "k"}}).accepts({101});
  CHECK_FALSE(relay.settled().commands().read_held);
  CHECK(relay.pass(brief().settle_interval).commands().read_held);
}

TEST_CASE("the log waits while more keys are due than were read back") {
  RelayDriver relay = with_held({"k", "m"});
  relay.reads_held({{101, "k"}}, 0s, true).reads({{"other"}}, true);
  CHECK_FALSE(relay.commands().read);
  relay.accepts({101}).settled({"k"});
  CHECK_FALSE(relay.commands().read);
  CHECK(relay.reads_held({{102, "m"}}).commands().read);
}

TEST_CASE("too many held rows stop the reading, say why, and are still tried") {
  auto options = brief();
  options.held_max = 2;
  RelayDriver relay(options);
  relay.granted(0, false, holding({"k", "m"}, 2, 1s)).connected();
  CHECK_FALSE(relay.commands().read);
  CHECK(relay.status().state == RouteState::stopped);
  CHECK(relay.last_reason().find("2 rows are held, and retry.held_max is 2") != std::string::npos);
  CHECK(relay.pass(1s).commands().read_held);
  CHECK(relay.reads_held({{1, "k"}}).accepts({1}).settled({"k"}).commands().read);
}

TEST_CASE("a route that held rows have stopped does not take what it has read for all that there is") {
  auto options = brief();
  options.held_max = 1;
  RelayDriver relay(options);
  relay.started().reads({{.key = "k", .defect = "bad"}});
  CHECK(relay.holds() == "1 dead");
  CHECK(relay.knows_backlog());
  CHECK(relay.status().pending_exact);
  relay.settled();
  CHECK(relay.status().state == RouteState::stopped);
  CHECK_FALSE(relay.knows_backlog());
  CHECK_FALSE(relay.status().pending_exact);
}

TEST_CASE("rows that no route takes never stop one") {
  auto options = brief();
  options.held_max = 2;
  options.filter.topics = Topics({"order.*"});
  RelayDriver relay(options);
  relay.started().reads({{{}, {}, "odd"}, {{}, {}, "odd"}, {{}, {}, "odd"}});
  CHECK(relay.holds() == "1 unrouted, 2 unrouted, 3 unrouted");
  CHECK(relay.settled().status().state == RouteState::running);
}

TEST_CASE("a lost lease forgets what was read of the held rows") {
  RelayDriver relay = with_held({"k"});
  relay.reads_held({{1, "k"}}).reads_nothing();
  CHECK(relay.session_breaks().holds() == "changed 1 retrying");
  relay.settle_fails(Fault::fenced).wait_ends();
  relay.granted(0, false, holding({"k"}, 1, 0s)).pass(100ms).connected();
  CHECK(relay.reads_held({{1, "k"}}).published() == "1");
}
