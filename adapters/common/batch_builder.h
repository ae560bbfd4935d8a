// Makes a Batch out of a database's columns: copies what must outlive the result set, formats ids, parses
// headers, counts bytes. Owned by the thread that reads. The only per-row allocation is a bump of the batch's
// own arena.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"
#include "core/store.h"

namespace outbox {

/// The outbox's columns in the order in which stores select them.
inline constexpr std::array<std::string_view, 11> outbox_column_names = {
    "seq",  "id",           "topic",   "message_key", "type",      "payload",
    "data", "content_type", "headers", "created_at",  "deliver_at"};
struct OutboxColumn {
  enum Position {
    seq,
    id,
    topic,
    message_key,
    type,
    payload,
    data,
    content_type,
    headers,
    created_at,
    deliver_at
  };
};

/// One row as the database's client library shows it; nothing of it needs to outlive the call of add().
struct RowView {
  std::int64_t seq = 0;
  std::string_view id;  ///< 16 bytes, or 36 characters in any case
  std::string_view topic;
  std::optional<std::string_view> key;
  std::optional<std::string_view> type;
  std::string_view payload;
  bool is_tombstone = false;
  std::string_view content_type;
  std::string_view headers = "{}";  ///< JSON text
  Timestamp created_at{};
  Duration age{};
  Duration due_in{};
  std::string_view defect;  ///< what the store itself found wrong with the row

  /// The message's value from the columns payload and data, of which at most one is set.
  void set_value(const std::optional<std::string_view>& bytes, const std::optional<std::string_view>& text);
};

class BatchBuilder {
 public:
  /// rows_expected: how many rows room is made for at the first one; any number is right, a good one is
  /// faster.
  explicit BatchBuilder(const ReadLimit& limit, std::size_t rows_expected = 64);

  /// Adds the row, whether or not the batch is full. A row that cannot be delivered as it stands (headers
  /// that are no object of strings, an id that is no UUID) is added with its defect named. One whose texts
  /// exceed `texts_max` is too, and only what tells whose it is is kept of it: a topic that is longer is cut,
  /// and a key that is longer is none, for no row of it can be delivered: nothing has to keep its order.
  void add(const RowView& row);

  /// A limit is reached: no further row belongs into this batch. Never true of an empty batch.
  [[nodiscard]] bool full() const {
    return count_ > 0 && (count_ >= limit_.messages_max || bytes_ >= limit_.bytes_max);
  }
  [[nodiscard]] std::size_t size() const { return count_; }

  /// The seq of the row added last; 0 before the first.
  [[nodiscard]] std::int64_t last_seq() const { return last_seq_; }

  /// The batch; its cursor, end and more are the caller's to set. The builder is done with.
  Batch take();

 private:
  std::string_view keep(std::string_view text);
  std::string_view keep_again(std::string_view text, std::string_view previous);
  Message& start(const RowView& row);
  void add_too_large(const RowView& row, std::size_t texts);
  void set_id(Message& message, std::string_view id);
  void set_headers(Message& message, std::string_view json);

  ReadLimit limit_;
  std::size_t rows_expected_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::int64_t last_seq_ = 0;
  std::string_view topic_, type_, content_type_;  // of the rows before: mostly the same, and then kept once
  std::shared_ptr<std::pmr::monotonic_buffer_resource> arena_;
  std::vector<Message> messages_;
};

}  // namespace outbox
