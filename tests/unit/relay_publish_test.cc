// What the relay publishes, and what it makes of the broker's answers.
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

RelayDriver ordered() {
  return RelayDriver(brief_and_ordered());
}

}  // namespace

TEST_CASE("rows that were read are published in the order of the log") {
  RelayDriver relay;
  CHECK(relay.started().reads({{}, {}, {}}).published() == "1 2 3");
}

TEST_CASE("nothing is published before the broker is connected") {
  RelayDriver relay;
  CHECK(relay.granted().commands().connect);
  CHECK(relay.reads({{}}).published() == "");
  CHECK_FALSE(relay.commands().connect);
  CHECK(relay.connected().published() == "1");
}

TEST_CASE("a follower waits until the row of its key before it is accepted") {
  RelayDriver relay;
  CHECK(relay.started().reads({{"k"}, {"k"}, {"other"}}).published() == "1 3");
  CHECK(relay.accepts({3}).published() == "");
  CHECK(relay.accepts({1}).published() == "2");
}

TEST_CASE("the window bounds what a crash can repeat") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}, {}, {}});
  CHECK(relay.published() == "1 2 3 4");
  CHECK(relay.accepts({2, 3, 4}).published() == "");
  CHECK(relay.accepts({1}).published() == "");  // accepted, but not behind the saved mark
  CHECK(relay.settles() == 4);
  CHECK(relay.settled().published() == "5 6");
}

TEST_CASE("a window of one relays one by one") {
  auto options = brief();
  options.window = 1;
  RelayDriver relay(options);
  CHECK(relay.started().reads({{}, {}}).published() == "1");
  CHECK(relay.accepts({1}).settles() == 1);
  CHECK(relay.settled().published() == "2");
}

TEST_CASE("an outage uses no attempt, however long it is") {
  RelayDriver relay;
  relay.started().reads({{}});
  for (int i = 0; i < 50; ++i) {
    CHECK(relay.answers(1, Verdict::unavailable, "down").published() == "");
    CHECK(relay.status().state == RouteState::backoff);
    CHECK(relay.pass_renewing(1s).in_flight(1));
  }
  CHECK(relay.accepts({1}).status().state == RouteState::running);
}

TEST_CASE("while the broker is down nothing is published and nothing is held against the messages") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  CHECK(relay.session_breaks().published() == "");
  CHECK_FALSE(relay.commands().connect);
  CHECK(relay.wakes_in() >= 50ms);
  CHECK(relay.wakes_in() <= 100ms);
  CHECK(relay.pass(100ms).commands().connect);
  CHECK(relay.session_ends(Session::State::down, "connection refused").last_reason() == "connection refused");
  CHECK(relay.wakes_in() >= 100ms);  // the second failure in a row: twice as long
  CHECK(relay.wakes_in() <= 200ms);
}

TEST_CASE("after a broken session messages go one at a time until one is accepted") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}});
  relay.session_breaks().pass(100ms);
  CHECK(relay.connected().published() == "1");
  CHECK(relay.accepts({1}).published() == "2 3");
  CHECK(relay.accepts({2}).published() == "4");
}

TEST_CASE("a session that breaks under many uses no attempt of any of them") {
  auto options = brief();
  options.retry.attempts_max = 1;
  RelayDriver relay(options);
  CHECK(relay.started().reads({{}, {}, {}, {}}).published() == "1 2 3 4");
  relay.session_breaks().pass(100ms).connected();
  CHECK(relay.accepts({1}).published() == "2 3");
  relay.accepts({2}).session_breaks().pass(100ms).connected();
  CHECK(relay.accepts({3}).status().state == RouteState::running);
  CHECK(relay.status().dead_total == 0);
}

TEST_CASE("a suspect is in its old place again once another one has passed") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}});
  CHECK(relay.session_breaks().pass(100ms).connected().published() == "1");
  CHECK(relay.session_breaks().pass(200ms).connected().published() == "2");
  CHECK(relay.accepts({2}).published() == "1 3");
}

TEST_CASE(
    "a message that breaks the session alone lets another go first, and is charged once that one passes") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  CHECK(relay.session_breaks().pass(100ms).connected().published() == "1");
  CHECK(relay.session_breaks().pass(200ms).connected().published() == "2");
  CHECK(relay.accepts({2}).published() == "1");
  CHECK(relay.session_breaks().settles() == 2);
  CHECK(relay.holds() == "1 retrying");
  CHECK(relay.first_hold().attempts == 1);
  CHECK(relay.first_hold().last_error == "connection lost");
}

TEST_CASE("where every message fails alone, each has its turn and none is charged or held") {
  auto options = brief();
  options.window = 16;
  for (const Verdict verdict : {Verdict::retry, Verdict::in_doubt}) {
    RelayDriver relay(options);
    relay.started().reads({{"k"}, {"k"}, {"other"}, {}});
    relay.session_breaks().pass(100ms).connected();
    for (int round = 0; round < 5; ++round) {
      for (const std::int64_t row : {1, 3, 4}) {
        CHECK(relay.in_flight(row));
        CHECK_FALSE(relay.answers(row, verdict).settles());
        CHECK(relay.status().state == RouteState::backoff);
        relay.pass_renewing(1s);
      }
    }
    CHECK(relay.accepts({1}).published() == "2 3");
    CHECK(relay.status().state == RouteState::running);
  }
}

TEST_CASE(
    "in an ordered pipeline the rows of a key that is set aside stay behind it, also those that come later") {
  RelayDriver relay = ordered();
  relay.started().reads({{"k"}, {"k"}, {"other"}});
  relay.session_breaks().pass(100ms).connected();
  CHECK(relay.published() == "1");
  CHECK(relay.session_breaks().wait_ends().reads({{"k"}, {"third"}}).pass(200ms).connected().published() ==
        "3");
  CHECK(relay.accepts({3}).published() == "1 2");
  CHECK(relay.accepts({1, 2}).published() == "4");
}

TEST_CASE("a suspect that fills the window is passed, uncharged, so that others have their turn") {
  auto options = brief();
  options.window = 1;
  RelayDriver relay(options);
  relay.started().reads({{}, {}});
  CHECK(relay.session_breaks().pass(100ms).connected().settles() == 1);
  CHECK(relay.holds() == "1 retrying");
  CHECK(relay.first_hold().attempts == 0);
  CHECK(relay.settled().published() == "2");
}

TEST_CASE("a message alone on its route waits as long as nothing shows that the broker works") {
  RelayDriver relay;
  relay.started().reads({{}});
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(relay.answers(1, Verdict::retry, "queue full").settles());
    CHECK(relay.pass_renewing(1s).in_flight(1));
  }
  relay.answers(1, Verdict::retry, "queue full").wait_ends().reads({{}}).pass_renewing(1s);
  CHECK(relay.accepts({2}).in_flight(1));
  CHECK(relay.answers(1, Verdict::retry, "queue full").holds() == "1 retrying");
}

TEST_CASE("a row that a service has dated into the future is not younger than nothing") {
  RelayDriver relay;
  relay.started().reads({{.age = -1h}});
  CHECK(relay.status().oldest_pending_age_seconds == 0);
}

TEST_CASE("where each session breaks at its first message the route is in trouble until one is accepted") {
  RelayDriver relay;
  relay.started().reads({{}});
  for (int i = 0; i < 5; ++i) {
    relay.session_breaks().pass_renewing(1s);
    CHECK(relay.connected().status().state == RouteState::backoff);
  }
  CHECK(relay.accepts({1}).status().state == RouteState::running);
}

TEST_CASE("an outage is probed every ten seconds at the most") {
  auto options = brief();
  options.retry.backoff_max = 5min;
  RelayDriver relay(options);
  relay.started().reads({{}});
  for (int i = 0; i < 20; ++i) {
    relay.answers(1, Verdict::unavailable, "down");
    CHECK(relay.pass_renewing(10s).in_flight(1));
  }
}

TEST_CASE("a message whose answer is lost among others is sent again, alone") {
  RelayDriver relay;
  CHECK(relay.started().reads({{}, {}, {}}).published() == "1 2 3");
  CHECK(relay.answers(2, Verdict::in_doubt).published() == "");
  CHECK(relay.accepts({1, 3}).published() == "2");
}

TEST_CASE("a message that was turned away is held with its followers, and the others go on") {
  RelayDriver relay;
  CHECK(relay.started().reads({{"k"}, {"k"}, {"other"}, {}}).published() == "1 3 4");
  CHECK(relay.accepts({4}).answers(1, Verdict::retry, "queue full").published() == "");
  CHECK(relay.status().state == RouteState::running);
  CHECK(relay.settles() == 2);
  CHECK(relay.holds() == "1 retrying, 2 blocked");
  CHECK(relay.first_hold().attempts == 1);
  CHECK(relay.first_hold().last_error == "queue full");
  CHECK(*relay.first_hold().due_in >= 50ms);
  CHECK(*relay.first_hold().due_in <= 100ms);
  CHECK(relay.settled().wait_ends().reads({{"k"}, {"third"}}).published() == "6");
}

TEST_CASE("what cannot be delivered is a dead letter with its reason, and the route goes on") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}, {}});
  relay.answers(2, Verdict::rejected, "too large");
  CHECK(relay.status().state == RouteState::running);
  CHECK(relay.status().dead_total == 1);
  CHECK(relay.accepts({1, 3, 4}).settles() == 4);
  CHECK(relay.holds() == "2 dead");
  CHECK(relay.first_hold().last_error == "too large");
  CHECK_FALSE(relay.first_hold().blocks);
  CHECK(relay.settled().published() == "5");
}

TEST_CASE("the last attempt makes a dead letter") {
  auto options = brief();
  options.retry.attempts_max = 1;
  RelayDriver relay(options);
  relay.started().reads({{}, {}}).accepts({2});
  CHECK(relay.answers(1, Verdict::retry, "queue full").holds() == "1 dead");
}

TEST_CASE("a row that no protocol can carry is a dead letter without an attempt") {
  RelayDriver relay;
  relay.started().reads({{}, {{}, {}, "order.placed", "headers are no object of strings"}, {}});
  CHECK(relay.published() == "1 3");
  CHECK(relay.accepts({1}).settles() == 2);
  CHECK(relay.holds() == "2 dead");
  CHECK(relay.first_hold().last_error == "headers are no object of strings");
}

TEST_CASE("what only somebody else can repair is tried again slowly, and says so") {
  RelayDriver relay;
  relay.started().reads({{}});
  relay.answers(1, Verdict::misconfigured, "no such topic");
  CHECK(relay.status().state == RouteState::misconfigured);
  CHECK(relay.last_reason() == "no such topic");
  CHECK(relay.pass(999ms).published() == "");
  CHECK(relay.pass(1ms).published() == "1");
  CHECK(relay.accepts({1}).status().reasons.empty());
}

TEST_CASE("in an ordered pipeline nothing overtakes a failed message") {
  RelayDriver relay = ordered();
  CHECK(relay.started().reads({{"k"}, {"k"}, {"k"}, {"k"}}).published() == "1 2 3 4");
  relay.accepts({1});
  relay.answers(2, Verdict::in_doubt);
  CHECK(relay.pass(20ms).published() == "");
  relay.answers(3, Verdict::unavailable);
  CHECK(relay.pass(1s).published() == "");  // 4 may still be accepted or not: nobody knows
  CHECK(relay.answers(4, Verdict::unavailable).published() == "");
  CHECK(relay.pass(1s).published() == "2");
  CHECK(relay.accepts({2}).published() == "3 4");
}

TEST_CASE("a scheduled row is held and holds nobody back") {
  for (const bool ordered_pipeline : {false, true}) {
    RelayDriver relay(ordered_pipeline ? brief_and_ordered() : brief());
    CHECK(relay.started().reads({{"k", 1s}, {"k"}, {"other"}}).published() == "2 3");
    CHECK(relay.settles() == 1);
    CHECK(relay.holds() == "1 scheduled");
    CHECK(*relay.first_hold().due_in == 1s);
    CHECK_FALSE(relay.first_hold().blocks);
  }
}

TEST_CASE("what another route of the database takes is only passed") {
  auto options = brief();
  options.filter.topics = Topics({"order.*"});
  RelayDriver relay(options);
  HeldKeys known;
  known.routed_elsewhere = {"stock.*"};
  relay.granted(0, false, known).connected().reads({{{}, {}, "stock.low"}, {{}, {}, "cart"}, {"k"}});
  CHECK(relay.holds() == "2 unrouted");
  CHECK(relay.status().unrouted_total == 0);  // another route of the configuration counts them
}

TEST_CASE("a row that no route takes is held as unrouted, one of another route only passed") {
  auto options = brief();
  options.filter.topics = Topics({"order.*"});
  options.filter.configured_elsewhere = Topics({"cart.*"});
  options.counts_unrouted = true;
  RelayDriver relay(options);
  relay.started().reads({{{}, {}, "cart.cleared"}, {"k", {}, "stock.moved"}, {"k"}});
  CHECK(relay.published() == "3");
  CHECK(relay.status().unrouted_total == 1);
  CHECK(relay.holds() == "2 unrouted");
  CHECK_FALSE(relay.first_hold().blocks);
  relay.settled();
  CHECK(relay.accepts({3}).pass(20ms).settles() == 3);
}

TEST_CASE("a shard takes the rows of its keys and passes the others") {
  std::string all;
  for (const int shard : {0, 1}) {
    auto options = brief();
    options.filter.shard = shard;
    options.filter.shards = 2;
    RelayDriver relay(options);
    relay.started().reads({{"a"}, {"b"}, {"c"}, {"d"}});
    const std::string published = relay.published();
    CHECK_FALSE(published.empty());
    all += " " + published;
  }
  for (const char* row : {"1", "2", "3", "4"}) CHECK(all.find(row) != std::string::npos);
  CHECK(all.size() == 8);
}

TEST_CASE("a paused route publishes nothing, takes in what is out, and goes on when resumed") {
  RelayDriver relay;
  relay.started().reads({{"k"}, {"k"}}).pause();
  CHECK(relay.accepts({1}).published() == "");
  CHECK(relay.settles() == 1);
  CHECK(relay.status().state == RouteState::paused);
  CHECK(relay.resume().published() == "2");
}

TEST_CASE("a pause that was saved holds from the start") {
  RelayDriver relay;
  relay.granted(0, true).connected();
  CHECK(relay.reads({{}}).published() == "");
  CHECK(relay.resume().published() == "1");
}

TEST_CASE("reading ahead is bounded in messages") {
  RelayDriver relay;
  const std::vector<Wanted> eight(8);
  relay.started().reads(eight, true);
  REQUIRE(relay.commands().read);
  CHECK(relay.commands().read->limit.messages_max == 4);  // window and one batch: twelve
  relay.reads({{}, {}, {}, {}}, true);
  CHECK_FALSE(relay.commands().read);
  relay.accepts({1, 2, 3, 4});
  CHECK(relay.commands().read);
}

TEST_CASE("reading ahead is bounded in bytes") {
  auto options = brief();
  options.read_bytes_max = 100;
  RelayDriver relay(options);
  CHECK_FALSE(relay.started().reads({{}}, true).commands().read);
  CHECK(relay.accepts({1}).commands().read);
}

TEST_CASE(
    "in an ordered pipeline a message that was turned away is held with all of its key, also what is out") {
  RelayDriver relay = ordered();
  CHECK(relay.started().reads({{"k"}, {"k"}, {"other"}, {"k"}, {"k"}}).published() == "1 2 3 4");
  CHECK(relay.accepts({3}).answers(1, Verdict::retry).holds() == "1 retrying");
  relay.answers(2, Verdict::unavailable).answers(4, Verdict::in_doubt);
  CHECK(relay.status().state == RouteState::running);
  CHECK(relay.settled().holds() == "2 blocked, 4 blocked, 5 blocked");
}

TEST_CASE("in an ordered pipeline the row that fails first is the first, whichever answer comes first") {
  RelayDriver relay = ordered();
  CHECK(relay.started().reads({{"k"}, {"k"}, {"k"}, {}}).published() == "1 2 3 4");
  relay.accepts({4}).answers(2, Verdict::retry).answers(1, Verdict::retry);
  CHECK(relay.holds() == "1 retrying, 2 blocked");
}

TEST_CASE("a failure that many answers tell of backs off once") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}});
  for (const std::int64_t row : {1, 2, 3, 4}) relay.answers(row, Verdict::unavailable, "out of memory");
  relay.session_breaks();
  CHECK(relay.wakes_in() <= 100ms);
  CHECK(relay.pass(100ms).commands().connect);
}

TEST_CASE("what was handed over before a failure and is accepted after it does not end the back-off") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  relay.answers(1, Verdict::misconfigured, "no such topic");
  CHECK(relay.accepts({2}).published() == "");
  CHECK(relay.status().state == RouteState::misconfigured);
  CHECK(relay.pass(1s).published() == "1");
}

TEST_CASE("a broker that gives no reason is backed off from all the same") {
  RelayDriver relay;
  relay.started().reads({{}});
  CHECK(relay.answers(1, Verdict::unavailable, "").published() == "");
  CHECK(relay.last_reason() == "no reason was given");
}

TEST_CASE("a session that breaks at once backs off further, one that held for long does not") {
  RelayDriver relay;
  relay.started().reads_nothing();
  for (int i = 0; i < 5; ++i) relay.session_breaks().pass_renewing(1s).connected();
  relay.session_breaks();
  CHECK_FALSE(relay.pass(499ms).commands().connect);
  CHECK(relay.pass(501ms).commands().connect);
  relay.connected().pass_renewing(1s).session_breaks();
  CHECK(relay.pass(100ms).commands().connect);
}

TEST_CASE("no read asks for nothing, even where there is room for one row only") {
  auto options = brief();
  options.window = 1;
  options.read_messages_max = 1;
  RelayDriver relay(options);
  relay.started().reads({{}}, true).reads({{}}, true);
  CHECK_FALSE(relay.commands().read);
  CHECK(relay.accepts({1}).commands().read);
}

TEST_CASE("in an ordered pipeline a new row waits until all that was out with a failed one has come back") {
  RelayDriver relay = ordered();
  CHECK(relay.started().reads({{"k"}, {"k"}, {"k"}}).published() == "1 2 3");
  relay.answers(1, Verdict::unavailable).wait_ends().reads({{"k"}});
  CHECK(relay.pass(1s).published() == "");
  relay.answers(2, Verdict::unavailable);
  CHECK(relay.pass(1s).published() == "");
  relay.answers(3, Verdict::unavailable);
  CHECK(relay.pass(1s).published() == "1");
}

TEST_CASE(
    "in an ordered pipeline no acceptance of another key lets a new row past one that is still to fail") {
  auto options = brief_and_ordered();
  options.window = 8;
  RelayDriver relay(options);
  CHECK(relay.started().reads({{"k"}, {"a"}, {"b"}, {"k"}}).published() == "1 2 3 4");
  relay.answers(1, Verdict::in_doubt).wait_ends().reads({{"k"}});
  CHECK(relay.accepts({2, 3}).published() == "");
  CHECK(relay.answers(4, Verdict::unavailable).pass(1s).published() == "1");
  CHECK(relay.accepts({1}).published() == "4 5");
}

TEST_CASE("messages go one at a time too after a session that broke with nothing in flight") {
  RelayDriver relay;
  relay.started().session_breaks();
  CHECK(relay.pass(100ms).connected().reads({{}, {}}).published() == "1");
}

TEST_CASE("what an operator has sent again bears the number of the replay, in every attempt") {
  RelayDriver relay;
  relay.replays = {3, 2};
  relay.started().reads({{}, {}, {}});
  const auto number_of = [&](std::size_t i) { return relay.commands().publish.at(i).message->replay; };
  CHECK(number_of(0) == 3);
  CHECK(number_of(1) == 3);
  CHECK(number_of(2) == 0);  // it came later

  RelayDriver again;
  again.replays = {3, 2};
  again.granted(5, false, {{}, 2, 0, 0s}).connected();
  CHECK(again.reads_held({{1}, {4}}).published() == "1 4");
  CHECK(again.commands().publish.at(0).message->replay == 3);
  CHECK(again.commands().publish.at(1).message->replay == 0);
}

TEST_CASE("messages that the broker says it had already are accepted, and counted") {
  RelayDriver relay;
  relay.started().reads({{}, {}});
  CHECK(relay.accepts({1}).status().duplicates_reported_total == 0);
  relay.had_already(2);
  CHECK(relay.status().duplicates_reported_total == 1);
  CHECK(relay.status().sent_total == 2);
}
