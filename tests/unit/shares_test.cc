#include "core/shard.h"

#include <algorithm>
#include <map>
#include <string>

#include <doctest/doctest.h>

using namespace outbox;

namespace {

using Owners = std::vector<std::string>;

/// Lets every relay act in turn until nothing changes; what is wanted and free is taken, what is not wanted
/// is given up.
Owners settled(Owners holders, const std::set<std::string>& live) {
  for (int round = 0; round < 20; ++round)
    for (const std::string& relay : live) {
      const auto wanted = wanted_shards(relay, live, holders);
      for (std::size_t shard = 0; shard < holders.size(); ++shard) {
        if (holders[shard] == relay && !wanted[shard])
          holders[shard].clear();
        else if (wanted[shard] && !live.contains(holders[shard]))
          holders[shard] = relay;
      }
    }
  return holders;
}

std::string counts(const Owners& holders) {
  std::map<std::string, int> by_owner;
  for (const std::string& owner : holders) ++by_owner[owner];
  std::string text;
  for (const auto& [owner, count] : by_owner) text += owner + std::to_string(count);
  return text;
}

}  // namespace

TEST_CASE("a relay that is alone takes every shard") {
  CHECK(counts(settled(Owners(5), {"a"})) == "a5");
}

TEST_CASE("shards are shared evenly, whoever held them before") {
  CHECK(counts(settled({"a", "a", "a", "a"}, {"a", "b"})) == "a2b2");
  CHECK(counts(settled({"a", "a", "a", "a", "a"}, {"a", "b", "c"})) == "a2b2c1");
  CHECK(counts(settled(Owners(2), {"a", "b", "c"})) == "a1b1");
}

TEST_CASE("what a dead relay held is taken over by the living") {
  CHECK(counts(settled({"gone", "gone", "b", "b"}, {"a", "b"})) == "a2b2");
}

TEST_CASE("nothing moves that need not") {
  const Owners holders = {"b", "a", "a", "b"};
  CHECK(settled(holders, {"a", "b"}) == holders);
}

TEST_CASE("what another living relay holds is stood by for, and what it has too much is not kept") {
  CHECK(wanted_shards("a", {"a", "b"}, {"b", "b"}) == std::vector<bool>{true, true});
  CHECK(wanted_shards("b", {"a", "b"}, {"b", "b"}) == std::vector<bool>{true, false});
}
