// Which shard of a route has a row, and which shards a relay is to hold. Pure.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

namespace detail {

/// The finaliser of MurmurHash3: each bit of the number decides about each bit of the result.
constexpr std::uint64_t mixed(std::uint64_t number) {
  number ^= number >> 33U;
  number *= 0xff51afd7ed558ccdU;
  number ^= number >> 33U;
  number *= 0xc4ceb9fe1a85ec53U;
  number ^= number >> 33U;
  return number;
}

/// FNV-1a, 64 bits.
constexpr std::uint64_t folded(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3U;
  }
  return hash;
}

}  // namespace detail

/// Replicas of different builds must agree, so this never changes: rows of one key would change hands unseen
/// and lose their order. 0 <= result < shards. All rows of a key share one; rows without a key are spread by
/// their seq.
constexpr int shard_of(const std::optional<std::string_view>& key, std::int64_t seq, int shards) {
  assert(shards > 0);
  const std::uint64_t number = key ? detail::folded(*key) : static_cast<std::uint64_t>(seq);
  return static_cast<int>(detail::mixed(number) % static_cast<std::uint64_t>(shards));
}

/// So that all live relays together hold the shards of a route evenly: every relay reckons for itself from
/// what the database says, and the leases decide where two disagree for a moment. `holders`: the owner of
/// each shard, empty where nobody holds it. `live`: the relays that take part, `me` among them. For each
/// shard, whether `me` is to hold it or to stand by for it: what others hold that are alive is stood by for,
/// so that it is taken over when they die.
std::vector<bool> wanted_shards(const std::string& me, const std::set<std::string>& live,
                                const std::vector<std::string>& holders);

}  // namespace outbox
