#include "core/shard.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace outbox {
namespace {

TEST_CASE("the shard of a row is the same in every build, for ever") {
  CHECK(shard_of("", 7, 1000) == 342);
  CHECK(shard_of("a", 7, 1000) == 315);
  CHECK(shard_of("customer-3", 7, 16) == 4);
  CHECK(shard_of("customer-3", 7, 3) == 2);
  CHECK(shard_of("ключ", 7, 1000) == 421);
  CHECK(shard_of(std::string_view("\xff\0", 2), 7, 1000) == 754);
  CHECK(shard_of(std::nullopt, 1, 1000) == 604);
  CHECK(shard_of(std::nullopt, 2, 3) == 0);
  CHECK(shard_of(std::nullopt, 1'000'000, 1000) == 739);
  CHECK(shard_of(std::nullopt, std::int64_t{1} << 62, 1000) == 72);
  CHECK(shard_of(std::nullopt, -1, 1000) == 289);
}

TEST_CASE("rows of a key share a shard, whatever their seq") {
  for (const int shards : {1, 2, 3, 8})
    for (std::int64_t seq = 0; seq < 50; ++seq)
      CHECK(shard_of("key-7", seq, shards) == shard_of("key-7", 0, shards));
}

TEST_CASE("keys, and rows without one, are spread evenly") {
  for (const bool keyed : {true, false}) {
    std::array<int, 7> rows{};
    for (std::int64_t i = 0; i < 7000; ++i) {
      const std::string key = "customer-" + std::to_string(i);
      ++rows.at(static_cast<std::size_t>(keyed ? shard_of(key, 0, 7) : shard_of(std::nullopt, i, 7)));
    }
    for (const int count : rows) {
      CHECK(count > 850);
      CHECK(count < 1150);
    }
  }
}

}  // namespace
}  // namespace outbox
