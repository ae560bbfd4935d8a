// What the relay does with its lease, its reads and its mark.
#include <algorithm>
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "relay_driver.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

TEST_CASE("nothing is done before the lease is held") {
  RelayDriver relay;
  CHECK(relay.commands().acquire);
  CHECK_FALSE(relay.commands().read);
  CHECK_FALSE(relay.commands().connect);
  CHECK_FALSE(relay.pass(1h).commands().acquire);
}

TEST_CASE("the first read begins at the saved mark") {
  RelayDriver relay;
  REQUIRE(relay.granted(41).commands().read);
  CHECK(relay.commands().read->after == Mark{"place", 41});
}

TEST_CASE("each read begins where the last one ended") {
  RelayDriver relay;
  REQUIRE(relay.started().reads({{}, {}}, true).commands().read);
  CHECK(relay.commands().read->after.seq == 2);
}

TEST_CASE("a relay that found nothing lets the store sleep until it is woken") {
  RelayDriver relay;
  CHECK(relay.started().reads_nothing().commands().wait);
  CHECK_FALSE(relay.commands().read);
  CHECK_FALSE(relay.tick().commands().read);
  CHECK(relay.wait_ends(Woken::notified).commands().read);
  relay.reads_nothing();
  CHECK(relay.wait_ends(Woken::timeout).commands().read);
  CHECK(relay.status().wakeups_notified_total == 1);
  CHECK(relay.status().wakeups_poll_total == 1);
}

TEST_CASE("a wait that was cut short for another command brings no read") {
  RelayDriver relay;
  relay.started().reads({{}}).accepts({1});
  CHECK_FALSE(relay.wait_ends(Woken::interrupted).commands().read);
  CHECK_FALSE(relay.commands().wait);  // not before the settle is answered
  CHECK(relay.settled().commands().wait);
}

TEST_CASE("what somebody else saw of a commit brings a read, without waiting for the own wait to end") {
  RelayDriver relay;
  CHECK(relay.started().reads_nothing().commands().wait);
  CHECK(relay.nudge().commands().read);
  CHECK(relay.wait_ends(Woken::interrupted).reads_nothing().commands().wait);
}

TEST_CASE("marks are saved at intervals, and at once when half the window is used") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}});
  CHECK(relay.accepts({1}).settles() == 1);  // the first one
  relay.settled();
  CHECK_FALSE(relay.accepts({2}).settles());
  CHECK(relay.wakes_in() == 20ms);
  CHECK(relay.pass(20ms).settles() == 2);
  relay.settled();
  CHECK(relay.accepts({3, 4}).settles() == 4);
}

TEST_CASE("a mark is saved one at a time") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}, {}});
  CHECK(relay.accepts({1, 2}).settles() == 2);
  CHECK_FALSE(relay.accepts({3, 4}).settles());
  CHECK_FALSE(relay.pass(20ms).settles());
  CHECK(relay.settled().settles() == 4);
}

TEST_CASE("a mark without news is not saved again") {
  RelayDriver relay;
  relay.started().reads({{}}).accepts({1});
  CHECK_FALSE(relay.settled().pass(20ms).settles());
}

TEST_CASE("the lease is renewed after a third of it, unless a settle has moved the beat") {
  RelayDriver relay;
  relay.started().reads_nothing();
  CHECK(relay.wakes_in() == Duration(8s) / 3);
  CHECK(relay.pass(Duration(8s) / 3).commands().renew);
  CHECK_FALSE(relay.pass(1s).commands().renew);
  relay.renewed();
  relay.wait_ends().reads({{}}).accepts({1}).settled();
  CHECK_FALSE(relay.pass(2s).commands().renew);
  CHECK(relay.pass(1s).commands().renew);
}

TEST_CASE("publishing stops before the lease can be somebody else's") {
  RelayDriver relay;
  relay.started();
  CHECK(relay.pass(6s - 1ns).reads({{}}, true).published() == "1");
  CHECK(relay.pass(1ns).reads({{}}, true).published() == "");
  CHECK(relay.renewed().published() == "2");
}

TEST_CASE("the lease runs from the question, not from the answer") {
  RelayDriver relay;
  relay.pass(5s).started();
  CHECK(relay.pass(1s).reads({{}}, true).published() == "");
  // Asked again 5 s after the first question, answered another 5 s later: 1 s is left to publish in.
  relay.pass(4s).renewed();
  CHECK(relay.published() == "1");
  CHECK(relay.pass(1s).reads({{}}, true).published() == "");
}

TEST_CASE("a settle confirms the lease from the moment at which it was asked for") {
  RelayDriver relay;
  relay.started().reads({{}}, true).pass(2s);
  CHECK(relay.accepts({1}).settles());
  relay.pass(5s).settled();
  CHECK(relay.reads({{}}, true).published() == "2");
  CHECK(relay.pass(1s).reads({{}}, true).published() == "");
}

TEST_CASE("a relay that finds another one in charge stands by and looks again") {
  RelayDriver relay;
  CHECK(relay.held_by("other").status().state == RouteState::standby);
  CHECK(relay.last_reason() == "another relay holds the lease: other");
  CHECK_FALSE(relay.commands().acquire);
  CHECK(relay.wakes_in() == 1s);
  REQUIRE(relay.pass(1s).commands().acquire);
  CHECK_FALSE(relay.commands().acquire->expired);
}

TEST_CASE("a holder whose beat stands still for a whole lease is taken over from, not sooner") {
  RelayDriver relay;
  relay.held_by("other", 5);
  for (int second = 1; second <= 7; ++second) {
    REQUIRE(relay.pass(1s).commands().acquire);
    CHECK_FALSE(relay.commands().acquire->expired);
    relay.held_by("other", 5);
  }
  REQUIRE(relay.pass(1s).commands().acquire);
  CHECK(relay.commands().acquire->expired == LeaseHolder{"other", 7, 5});
  CHECK(relay.granted().status().leases.at(0).mine);
}

TEST_CASE("a holder that moves its beat keeps its lease") {
  RelayDriver relay;
  for (int second = 0; second < 30; ++second) {
    relay.held_by("other", second / 5);
    REQUIRE(relay.pass(1s).commands().acquire);
    CHECK_FALSE(relay.commands().acquire->expired);
  }
}

TEST_CASE("the observer's lease counts from the answer: how old the beat was then, nobody knows") {
  RelayDriver relay;
  relay.pass(5s).held_by("other");
  REQUIRE(relay.pass(7s).commands().acquire);
  CHECK_FALSE(relay.commands().acquire->expired);
}

TEST_CASE("a database that is down is asked again after a back-off that grows") {
  RelayDriver relay;
  CHECK(relay.acquire_fails().status().state == RouteState::backoff);
  CHECK(relay.last_reason() == "the database says no");
  CHECK_FALSE(relay.commands().acquire);
  CHECK(relay.wakes_in() <= 100ms);
  CHECK(relay.pass(100ms).commands().acquire);
  CHECK(relay.acquire_fails().wakes_in() >= 100ms);
  CHECK(relay.pass(200ms).commands().acquire);
  CHECK(relay.granted().status().reasons.empty());
}

TEST_CASE("a database that somebody must change is asked again slowly") {
  RelayDriver relay;
  CHECK(relay.acquire_fails(Fault::misconfigured).status().state == RouteState::misconfigured);
  CHECK(relay.wakes_in() >= 1s);
}

TEST_CASE("a fenced settle drops everything and starts over from the saved mark") {
  RelayDriver relay;
  relay.started().reads({{}, {}, {}}).accepts({1}).wait_ends(Woken::interrupted);
  relay.settle_fails(Fault::fenced);
  CHECK_FALSE(relay.commands().acquire);  // 2 and 3 are still with the broker
  CHECK(relay.accepts({2}).published() == "");
  CHECK_FALSE(relay.settles());
  CHECK(relay.accepts({3}).commands().acquire);
  REQUIRE(relay.granted(1).commands().read);
  CHECK(relay.commands().read->after.seq == 1);
  CHECK(relay.reads({{}, {}}).published() == "2 3");
  CHECK(relay.status().lease_lost_total == 1);
}

TEST_CASE("whichever store command fails, the relay starts over from the saved mark") {
  const auto starts_over = [](RelayDriver& relay) {
    CHECK_FALSE(relay.commands().acquire);
    CHECK(relay.pass(100ms).commands().acquire);
    REQUIRE(relay.granted(7).commands().read);
    CHECK(relay.commands().read->after.seq == 7);
  };
  SUBCASE("read") {
    RelayDriver relay;
    starts_over(relay.started().read_fails());
  }
  SUBCASE("wait") {
    RelayDriver relay;
    starts_over(relay.started().reads_nothing().wait_fails());
  }
  SUBCASE("renew") {
    RelayDriver relay;
    starts_over(relay.started().reads_nothing().pass(3s).wait_ends(Woken::interrupted).renew_fails());
  }
  SUBCASE("settle") {
    RelayDriver relay;
    relay.started().reads({{}}).accepts({1}).wait_ends(Woken::interrupted);
    starts_over(relay.settle_fails());
  }
}

TEST_CASE("a relay that starts over waits for every answer of the old session") {
  RelayDriver relay;
  relay.started().reads({{}}, true).accepts({1});
  CHECK_FALSE(relay.settle_fails().pass(1s).commands().acquire);
  CHECK(relay.read_fails().commands().acquire);
}

TEST_CASE("rows that arrive after the lease was lost are not published") {
  RelayDriver relay;
  relay.started().reads({{}}, true).accepts({1});
  CHECK(relay.settle_fails(Fault::fenced).reads({{}}).published() == "");
  REQUIRE(relay.granted(1).commands().read);
  CHECK(relay.commands().read->after.seq == 1);
}

TEST_CASE("a session that cannot save its mark backs off further each time, though it can read") {
  RelayDriver relay;
  relay.started();
  for (int failure = 1; failure <= 5; ++failure) {
    relay.reads({{}}, true).accepts({1}).settle_fails().read_fails();
    CHECK(relay.wakes_in() >= std::min<Duration>(50ms * (1 << (failure - 1)), 500ms));
    relay.pass(1s).granted();
  }
  relay.reads({{}}, true).accepts({1}).settled().read_fails();
  CHECK(relay.wakes_in() <= 100ms);
}

TEST_CASE("everything is through only when the mark is saved and nothing more is known of") {
  RelayDriver relay;
  CHECK_FALSE(relay.all_through());
  relay.started().reads({{}});
  CHECK_FALSE(relay.all_through());
  CHECK_FALSE(relay.accepts({1}).all_through());
  CHECK(relay.settled().all_through());
  CHECK_FALSE(relay.wait_ends().all_through());
}

TEST_CASE("a settle waits for the renewal under way: their beats must not be taken for each other") {
  RelayDriver relay;
  relay.started().reads({{}});
  CHECK(relay.pass(3s).commands().renew);
  CHECK_FALSE(relay.accepts({1}).settles());
  CHECK(relay.renewed().settles() == 1);
}

TEST_CASE("a shard that is not wanted any more is handed over once all is accepted and saved") {
  RelayDriver relay;
  CHECK(relay.started().reads({{}, {}}).published() == "1 2");
  relay.share(false).wait_ends();
  CHECK_FALSE(relay.commands().read);
  CHECK_FALSE(relay.accepts({1}).commands().release);
  CHECK(relay.settled().accepts({2}).settles() == 2);
  CHECK(relay.settled().commands().release);
  CHECK_FALSE(relay.released().commands().acquire);
  CHECK_FALSE(relay.commands().finished);
  CHECK(relay.share(true).commands().acquire);
}

TEST_CASE("a relay that another one has taken over from shows nothing of what it had read") {
  RelayDriver relay;
  relay.started().reads({{}, {"k"}, {"k"}}).accepts({1}).settle_fails(Fault::fenced).accepts({2});
  relay.wait_ends(Woken::interrupted).held_by("other");
  CHECK(relay.status().state == RouteState::standby);
  relay.pass(1h);
  CHECK(relay.status().pending == 0);
  CHECK(relay.status().oldest_pending_age_seconds == 0);
  CHECK_FALSE(relay.status().pending_exact);
  CHECK_FALSE(relay.knows_backlog());
}
