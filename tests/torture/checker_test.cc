// The checker itself: it must see what it is there to see.
#include <doctest/doctest.h>

#include <array>
#include <stdexcept>

#include "tests/torture/ledger.h"

namespace outbox::test {
namespace {

Received message_of(const LedgerRow& row) {
  Received received;
  received.attributes = {{"id", row.id}};
  if (!row.key.empty()) received.attributes["partitionkey"] = row.key;
  received.payload = row.payload;
  return received;
}

struct Fixture {
  Ledger ledger{7};
  std::vector<Received> messages;

  std::size_t add(const std::string& key, Fate fate, bool scheduled = false) {
    const std::array row = {ledger.add(key, scheduled)};
    ledger.set(row, fate);
    messages.push_back(message_of(ledger.row(row[0])));
    return row[0];
  }
  [[nodiscard]] Findings judge(const std::vector<Received>& arrived,
                               const std::vector<std::size_t>& crashes = {},
                               std::size_t repeats_max = 9) const {
    std::vector<std::string> stored;
    for (std::size_t i = 0; i < ledger.size(); ++i)
      if (ledger.row(i).fate == Fate::committed) stored.push_back(ledger.row(i).id);
    return judge_arrivals(ledger.expected(stored, false), arrived, crashes, repeats_max);
  }
};

}  // namespace

TEST_CASE("what arrived as it was committed is faultless") {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.add("k", Fate::committed);
  f.add("", Fate::committed);
  const Findings findings = f.judge(f.messages);
  CHECK(findings.is_faultless());
  CHECK(findings.messages == 4);
}

TEST_CASE("the checker counts lost, uncommitted, inverted and repeated messages") {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.add("k", Fate::committed);
  f.add("k", Fate::rolled_back);
  f.add("k", Fate::open);
  const auto& m = f.messages;
  CHECK(f.judge({m[0], m[1]}).lost == 1);
  CHECK(f.judge({m[0], m[1], m[2], m[3]}).uncommitted == 1);
  CHECK(f.judge({m[0], m[1], m[2], m[4]}).uncommitted == 1);
  CHECK(f.judge({m[0], m[2], m[1]}).inverted == 1);
  CHECK(f.judge({m[0], m[2]}).lost == 1);
  CHECK(f.judge({m[0], m[1], m[0], m[1], m[2]}).inverted == 0);  // a repeat has no place in the order
  CHECK(f.judge({m[0], m[1], m[0], m[1], m[2]}).duplicates == 2);
  Received stranger = m[0];
  stranger.attributes["id"] = "x";
  CHECK(f.judge({m[0], m[1], m[2], stranger}).uncommitted == 1);
}

TEST_CASE("a committed id with another payload or key is nothing that was committed") {
  Fixture f;
  f.add("k", Fate::committed);
  Received changed = f.messages[0];
  changed.payload += " ";
  CHECK(f.judge({changed}).uncommitted == 1);
  Received moved = f.messages[0];
  moved.attributes["partitionkey"] = "other";
  CHECK(f.judge({moved}).uncommitted == 1);
}

TEST_CASE("rows without a key have no order") {
  Fixture f;
  f.add("", Fate::committed);
  f.add("", Fate::committed);
  CHECK(f.judge({f.messages[1], f.messages[0]}).is_faultless());
}

TEST_CASE("a scheduled row may come late, and nothing that waited before it comes after it") {
  Fixture f;
  f.add("k", Fate::committed);
  f.add("k", Fate::committed, true);
  f.add("k", Fate::committed);
  const auto& m = f.messages;
  CHECK(f.judge({m[0], m[2], m[1]}).is_faultless());
  CHECK(f.judge({m[1], m[0], m[2]}).inverted == 1);
}

TEST_CASE("each crash may leave a window to be repeated, and no more") {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.add("k", Fate::committed);
  const auto& m = f.messages;
  CHECK(f.judge({m[0], m[1], m[0], m[1], m[2], m[1], m[2], m[3]}, {2, 5}, 2).is_faultless());
  CHECK(f.judge({m[0], m[1], m[2], m[0], m[1], m[2], m[3]}, {3}, 2).too_many == 1);
}

TEST_CASE("what a relay that died at once did not repeat may be repeated after the next crash") {
  Fixture f;
  for (int i = 0; i < 12; ++i) f.add("", Fate::committed);
  const auto& m = f.messages;
  CHECK(f.judge({m[0], m[1], m[2], m[3], m[0], m[1], m[2], m[3]}, {2, 4}, 2).too_many == 0);
  CHECK(f.judge({m[0], m[1], m[2], m[3], m[4], m[5], m[4], m[5], m[3], m[6]}, {2, 6}, 2).too_many == 1);
}

TEST_CASE("the table decides about commits that nobody answered") {
  Fixture f;
  f.add("k", Fate::unknown);
  const std::string id = f.ledger.row(0).id;
  CHECK(judge_arrivals(f.ledger.expected({id}, false), {}, {}, 0).lost == 1);
  CHECK(judge_arrivals(f.ledger.expected({}, false), {}, {}, 0).is_faultless());
  CHECK(judge_arrivals(f.ledger.expected({}, false), f.messages, {}, 0).uncommitted == 1);
  CHECK(judge_arrivals(f.ledger.expected({}, true), f.messages, {}, 0).is_faultless());
}

TEST_CASE("a database that breaks its word is not the relay's fault") {
  Fixture f;
  f.add("k", Fate::committed);
  f.add("k", Fate::rolled_back);
  const std::string kept = f.ledger.row(0).id, undone = f.ledger.row(1).id;
  CHECK_THROWS_AS(static_cast<void>(f.ledger.expected({}, false)), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(f.ledger.expected({kept, undone}, false)), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(f.ledger.expected({kept, "another"}, false)), std::runtime_error);
  CHECK(f.ledger.expected({}, true).at(kept).due == Due::allowed);
}

}  // namespace outbox::test
