// Reads the outbox as a log, range by range. Owned by the store's thread.
//
// A range is the rows that are visible in one snapshot, `upto`, and were not in an earlier one, `seen`. All
// rows of a range committed after all rows of the range before it, so ranges in turn and seq order within
// each make commit order for every key whose writers take turns. A row that was drawn early and committed
// late is simply in a later range. Mark.cursor is "<seen>", all before it settled and nothing known beyond,
// or "<seen>|<upto>", a range of which the rows up to Mark.seq are settled.
#pragma once

#include <string>
#include <utility>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/message.h"
#include "core/store.h"

namespace outbox::postgresql {

/// The snapshot before everything: nothing is visible in it.
inline constexpr const char* snapshot_of_nothing = "1:1:";

struct SnapshotRange {
  std::string seen;
  std::string upto;  ///< empty: not opened yet

  static SnapshotRange of(const std::string& text);
  [[nodiscard]] std::string text() const { return upto.empty() ? seen : seen + "|" + upto; }
};

class Reader {
 public:
  /// Prepares the statements on the connection, which must outlive the reader.
  static Result<Reader> prepare(Connection& connection, const Tables& tables);

  Result<Batch> read(const Mark& after, const ReadLimit& limit);

  /// Whether rows have been committed that the snapshot does not see. Cheap.
  Result<bool> any_since(const std::string& snapshot);

  /// The snapshot up to which all was read; empty when the last read left rows behind or there was none.
  [[nodiscard]] const std::string& caught_up() const { return caught_up_; }

 private:
  Reader(Connection& connection, std::string outbox) : connection_(&connection), outbox_(std::move(outbox)) {}

  struct Clock;
  Result<Batch> open(const SnapshotRange& range, const ReadLimit& limit);
  Result<Batch> page(const SnapshotRange& range, std::int64_t after, const ReadLimit& limit);
  Result<Batch> page_of_broken_row(const SnapshotRange& range, std::int64_t after, const ReadLimit& limit);
  Result<std::string> one_text(const char* what, const char* statement, const Parameters& parameters);
  std::size_t rows_for(const ReadLimit& limit) const;
  void learn(const Batch& batch);

  Connection* connection_;
  std::string outbox_;
  std::string caught_up_;
  std::size_t row_bytes_ = 1024;    ///< what a row was worth lately
  std::size_t rows_expected_ = 64;  ///< how many came lately
};

}  // namespace outbox::postgresql
