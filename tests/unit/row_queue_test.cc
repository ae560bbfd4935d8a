#include "core/row_queue.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/held_queue.h"

using namespace outbox;
using namespace std::chrono_literals;

namespace {

constexpr Ordinal no_end = 1'000'000;

struct Wanted {
  std::optional<std::string> key = {};
  Duration due_in = {};
  std::string topic = "taken";
};

/// A queue and the hands that move its rows: ordinals count from 1, seqs from 10 in steps of 10.
struct Hands {
  explicit Hands(bool key_serial = true) : queue(key_serial) { queue.clear({"saved", 0}); }

  std::size_t add(const std::vector<Wanted>& rows, const std::string& name = "a") {
    struct Memory {
      std::deque<std::string> texts;
    };
    auto memory = std::make_shared<Memory>();
    Batch batch;
    batch.cursor = name;
    for (const Wanted& row : rows) {
      Message message;
      message.seq = seq += 10;
      message.topic = memory->texts.emplace_back(row.topic);
      if (row.key) message.key = memory->texts.emplace_back(*row.key);
      message.due_in = row.due_in;
      batch.bytes += message.bytes();
      batch.messages.push_back(message);
    }
    batch.memory = memory;
    batch.end = {name + " is through", seq};
    RowFilter filter;
    filter.topics = Topics({"taken"});
    return queue.add(std::move(batch), now, filter);
  }

  /// "1 2": what can be handed to the broker now; it is then in flight.
  std::string publish(Ordinal end = no_end, int most = 100) {
    std::string text;
    while (most-- > 0) {
      const auto ordinal = queue.next_ready(end);
      if (!ordinal) break;
      queue.submitted(*ordinal, {now});
      text += (text.empty() ? "" : " ") + std::to_string(*ordinal);
    }
    return text;
  }
  void done(Ordinal ordinal) { queue.done(ordinal); }
  void hold(Ordinal ordinal) {
    queue.hold(ordinal, hold_of(*queue.at(ordinal).message, HeldState::retrying, true), now + 5s);
  }
  /// "10 retrying, 20 blocked": what the mark has passed.
  std::string held() {
    std::string text;
    for (const Hold& hold : queue.take_held(now))
      text += (text.empty() ? "" : ", ") + std::to_string(hold.seq) + " " + std::string(name_of(hold.state));
    return text;
  }

  RowQueue queue;
  Instant now{1h};
  std::int64_t seq = 0;
};

}  // namespace

TEST_CASE("rows come in the order of the log, up to the end that is asked for") {
  Hands hands;
  hands.add({{}, {}, {}});
  CHECK(hands.publish(3) == "1 2");
  CHECK(hands.publish() == "3");
  CHECK(hands.publish() == "");
}

TEST_CASE("a follower waits until the row of its key before it is accepted") {
  Hands hands;
  hands.add({{"k"}, {"k"}, {"other"}, {"k"}});
  CHECK(hands.publish() == "1 3");
  hands.done(3);
  CHECK(hands.publish() == "");
  hands.done(1);
  CHECK(hands.publish() == "2");
  hands.done(2);
  CHECK(hands.publish() == "4");
}

TEST_CASE("a follower of a later batch waits as well") {
  Hands hands;
  hands.add({{"k"}});
  CHECK(hands.publish() == "1");
  hands.add({{"k"}}, "b");
  CHECK(hands.publish() == "");
  hands.done(1);
  CHECK(hands.publish() == "2");
}

TEST_CASE("a key whose rows are all accepted starts afresh") {
  Hands hands;
  hands.add({{"k"}});
  hands.publish();
  hands.done(1);
  hands.add({{"k"}}, "b");
  CHECK(hands.publish() == "2");
}

TEST_CASE("rows without a key do not wait for each other") {
  Hands hands;
  hands.add({{}, {}});
  CHECK(hands.publish() == "1 2");
}

TEST_CASE("the empty key is a key") {
  Hands hands;
  hands.add({{""}, {""}});
  CHECK(hands.publish() == "1");
}

TEST_CASE("where the broker keeps the order, rows of a key are pipelined") {
  Hands hands(false);
  hands.add({{"k"}, {"k"}});
  CHECK(hands.publish() == "1 2");
}

TEST_CASE("a row that came back goes out before later ones") {
  Hands hands;
  hands.add({{}, {}, {}});
  CHECK(hands.publish(no_end, 2) == "1 2");
  hands.queue.put_back(2);
  hands.queue.put_back(1);
  CHECK(hands.publish() == "1 2 3");
}

TEST_CASE("a row that came back still holds back its followers") {
  Hands hands;
  hands.add({{"k"}, {"k"}});
  hands.publish();
  hands.queue.put_back(1);
  CHECK(hands.publish() == "1");
}

TEST_CASE("the mark passes a held row, and its followers with it") {
  for (const bool key_serial : {true, false}) {
    Hands hands(key_serial);
    hands.add({{"k"}, {"k"}, {}, {"k"}});
    hands.publish(2);
    hands.hold(1);
    CHECK(hands.held() == "10 retrying, 20 blocked");
    CHECK(hands.queue.mark() == Mark{"a", 20});
    CHECK(hands.publish() == "3");
    hands.done(3);
    CHECK(hands.held() == "40 blocked");
    CHECK(hands.queue.mark() == Mark{"a is through", 40});
  }
}

TEST_CASE("a held row waits for the rows before it, and is written only with them") {
  Hands hands;
  hands.add({{}, {"k"}});
  hands.publish();
  hands.hold(2);
  CHECK(hands.held() == "");
  hands.done(1);
  CHECK(hands.held() == "20 retrying");
}

TEST_CASE("rows of a held key are held until the database has none left") {
  Hands hands;
  hands.add({{"k"}});
  hands.publish();
  hands.hold(1);
  CHECK(hands.held() == "10 retrying");
  hands.add({{"k"}}, "b");
  CHECK(hands.held() == "20 blocked");
  hands.queue.held_is_saved({{"k", true}, {"k", true}}, {});
  hands.add({{"k"}}, "c");
  CHECK(hands.held() == "30 blocked");
  hands.queue.held_is_saved({{"k", true}}, {"k"});
  hands.add({{"k"}}, "d");
  CHECK(hands.publish() == "4");
}

TEST_CASE("a due time is reckoned from the moment at which it is written") {
  Hands hands;
  hands.add({{{}, 9s}});
  hands.now += 2s;
  const auto held = hands.queue.take_held(hands.now);
  REQUIRE(held.size() == 1);
  CHECK(held[0].state == HeldState::scheduled);
  CHECK(held[0].due_in == 7s);
}

TEST_CASE("a scheduled row leaves its key's order: nobody waits for it, and it waits for nobody") {
  for (const bool key_serial : {true, false}) {
    Hands hands(key_serial);
    hands.add({{"k"}, {"k", 5s}, {"k"}, {"other"}});
    CHECK(hands.publish() == (key_serial ? "1 4" : "1 3 4"));
    hands.done(1);
    CHECK(hands.publish() == (key_serial ? "3" : ""));
    CHECK(hands.held() == "20 scheduled");
  }
}

TEST_CASE("a scheduled row stays so when the row before it is held") {
  for (const bool key_serial : {true, false}) {
    Hands hands(key_serial);
    hands.add({{"k"}, {"k", 5s}, {"k"}});
    hands.publish();
    if (!key_serial) hands.queue.put_back(3);
    hands.hold(1);
    CHECK(hands.held() == "10 retrying, 20 scheduled, 30 blocked");
  }
}

TEST_CASE("the mark never passes a row that is not accepted") {
  Hands hands;
  hands.add({{}, {}, {}});
  hands.publish();
  hands.done(2);
  CHECK(hands.queue.mark() == Mark{"saved", 0});
  CHECK_FALSE(hands.queue.moved());
  hands.done(1);
  CHECK(hands.queue.moved());
  CHECK(hands.queue.take_mark() == Mark{"a", 20});
  CHECK_FALSE(hands.queue.moved());
}

TEST_CASE("behind the last row of a batch the mark is the batch's end") {
  Hands hands;
  hands.add({{}});
  hands.add({{}, {}}, "b");
  hands.publish();
  hands.done(1);
  CHECK(hands.queue.mark() == Mark{"a is through", 10});
  hands.done(2);
  CHECK(hands.queue.mark() == Mark{"b", 20});
  hands.done(3);
  CHECK(hands.queue.mark() == Mark{"b is through", 30});
}

TEST_CASE("rows that the route does not take are passed, but never before the rows ahead of them") {
  Hands hands;
  hands.add({{}});
  hands.add({{{}, {}, "of another route"}}, "b");
  CHECK(hands.queue.mark() == Mark{"saved", 0});
  hands.publish();
  hands.done(1);
  CHECK(hands.queue.mark() == Mark{"b is through", 20});
  hands.add({{{}, {}, "of another route"}}, "c");
  CHECK(hands.queue.mark() == Mark{"c is through", 30});
  CHECK(hands.queue.moved());
}

TEST_CASE("an empty batch gives no reason to save the mark") {
  Hands hands;
  hands.add({});
  CHECK_FALSE(hands.queue.moved());
}

TEST_CASE("a batch's memory counts until all of it is through") {
  Hands hands;
  hands.add({{}, {}});
  const auto bytes = hands.queue.bytes();
  CHECK(bytes > 0);
  hands.publish();
  hands.done(1);
  CHECK(hands.queue.bytes() == bytes);
  hands.done(2);
  CHECK(hands.queue.bytes() == 0);
}

TEST_CASE("clearing forgets every row but never gives a number twice") {
  Hands hands;
  hands.add({{"k"}, {"k"}, {{}, 5s}});
  hands.queue.clear({"saved again", 0});
  CHECK(hands.queue.empty());
  CHECK(hands.queue.bytes() == 0);
  CHECK(hands.queue.mark() == Mark{"saved again", 0});
  CHECK_FALSE(hands.queue.moved());
  hands.add({{"k"}, {}});
  CHECK(hands.publish() == "4 5");
}

TEST_CASE("what is in flight is counted") {
  Hands hands;
  hands.add({{}, {}, {}});
  hands.publish();
  CHECK(hands.queue.in_flight() == 3);
  hands.done(1);
  hands.queue.put_back(2);
  hands.hold(3);
  CHECK(hands.queue.in_flight() == 0);
}
