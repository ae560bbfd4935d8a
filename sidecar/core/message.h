// One outbox row on its way to a broker, and a batch of them. Plain data that looks into memory owned by its
// batch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace outbox {

struct Header {
  std::string_view name;
  std::string_view value;
};

/// One row. The views stay valid for as long as the batch that brought it is alive.
struct Message {
  std::int64_t seq = 0;
  std::array<char, 36> id{};  ///< canonical lower-case UUID; the same in every attempt
  int replay = 0;             ///< the number of the replay that it is part of; 0: of none
  std::string_view topic;
  std::optional<std::string_view> key;  ///< rows with the same key keep their order; nullopt: no order
  std::string_view type;                ///< the row's type, or its topic when it has none
  std::string_view payload;
  bool is_tombstone = false;  ///< no value at all: null on Kafka, nothing in JSON, an empty payload elsewhere
  std::string_view content_type;
  std::span<const Header> headers;
  std::uint32_t texts_bytes = 0;  ///< of topic, key, type, content type and headers as the row has them
  Timestamp created_at{};         ///< as the database stamped it: shown, never compared with a local clock
  Duration age{};                 ///< since created_at by the database's clock, at the time of the read
  Duration due_in{};  ///< until deliver_at by the database's clock, at the time of the read; <= 0: now
  std::string_view
      defect;  ///< not empty: cannot be delivered as it stands (headers no object of strings, ...)

  [[nodiscard]] std::string_view id_text() const { return {id.data(), id.size()}; }
  [[nodiscard]] std::size_t bytes() const { return payload.size() + texts_bytes + 128; }
};

/// Tells keys apart within one process: two keys of one hash only wait for each other.
inline std::uint64_t key_hash(std::string_view key) {
  return std::hash<std::string_view>{}(key);
}

/// A place in a route's log: everything before it is settled. `cursor` belongs to the store and is opaque to
/// all others.
struct Mark {
  std::string cursor;
  std::int64_t seq = 0;

  friend bool operator==(const Mark&, const Mark&) = default;
};

/// Rows in the order in which they are to be published. The mark after message i is {cursor,
/// messages[i].seq}.
struct Batch {
  std::vector<Message> messages;
  std::shared_ptr<const void> memory;  ///< what the views look into
  std::string cursor;
  Mark end;           ///< the mark once every message of the batch is settled
  bool more = false;  ///< rows beyond this batch were there at the time of the read
  std::size_t bytes = 0;
};

}  // namespace outbox
