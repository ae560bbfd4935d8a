// Which keys have messages on their way, and to where. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/message.h"

namespace outbox {

/// Keys that share a lane only wait for each other.
struct KeySlot {
  const void* place = nullptr;  ///< of those in flight
  std::uint32_t in_flight = 0;
  std::uint32_t waiting = 0;
};

class KeySlots {
 public:
  KeySlots() : lanes_(count) {}

  [[nodiscard]] std::size_t index_of(std::string_view key) const { return key_hash(key) % count; }
  KeySlot& at(std::size_t index) { return lanes_[index]; }
  void clear() { lanes_.assign(count, {}); }

 private:
  static constexpr std::size_t count = 1 << 14;
  std::vector<KeySlot> lanes_;
};

}  // namespace outbox
