// Which keys have messages on their way, and to where. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/message.h"

namespace outbox {

/// Keys that share a group only wait for each other.
struct KeyGroup {
  const void* place = nullptr;  ///< of those in flight
  std::uint32_t in_flight = 0;
  std::uint32_t waiting = 0;
};

class KeyGroups {
 public:
  KeyGroups() : groups_(count) {}

  [[nodiscard]] std::size_t index_of(std::string_view key) const { return key_hash(key) % count; }
  KeyGroup& at(std::size_t index) { return groups_[index]; }
  void clear() { groups_.assign(count, {}); }

 private:
  static constexpr std::size_t count = 1 << 14;
  std::vector<KeyGroup> groups_;
};

}  // namespace outbox
