// The rows of outbox_held: what a settle writes, who waits for whom, what is due. On the session's thread;
// whoever writes has locked the marks of the route in the same transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/sql/marks.h"
#include "adapters/stores/sql/session.h"
#include "core/store.h"

namespace outbox::sql {

/// The state that has this name; an assertion otherwise, because the table allows no others.
HeldState held_state(std::string_view name);

/// What a settle writes behind the mark. The last call's rows are the freed keys. Owns what its calls look
/// at.
class SettleCalls {
 public:
  SettleCalls(const Lease& lease, const HeldWrites& held);
  SettleCalls(const SettleCalls&) = delete;
  SettleCalls& operator=(const SettleCalls&) = delete;

  [[nodiscard]] std::span<const Call> calls() const { return calls_; }

 private:
  ValueRows holds_, notes_, changes_, removals_, topics_, keys_;
  std::vector<Call> calls_;
};

using KeySet = std::set<std::string, std::less<>>;

/// After rows have come back to the front of their keys or have gone: of each key the first row that blocks
/// it waits for its time or is due, and all others wait behind it.
Result<void> order_keys(Session& session, const char* what, const std::string& route, const KeySet& keys);
/// The same for every key that a row of the route blocks.
Result<void> order_all_keys(Session& session, const char* what, const std::string& route);

/// What is held of a shard is forgotten.
Result<void> forget_held(Session& session, const std::string& route, int shard);
/// What is held although the position has not passed it: it is read again.
Result<void> forget_unread(Session& session, const Log& log, const std::string& route,
                           const Position& position);
/// Whoever notes these rows as unrouted, one column seq, no longer does.
Result<void> forget_notes(Session& session, const char* what, const ValueRows& seqs);
/// The route takes these topics from now on: unrouted rows of them that it will come across are nobody's to
/// adopt. Precondition: all shards have begun, and every mark of the database is locked.
Result<void> forget_unread_notes(Session& session, const Log& log, const std::string& route,
                                 const std::string& patterns);
/// Each row belongs to the shard of its key.
Result<void> share_out_held(Session& session, const std::string& route, int shards);

/// As Store::held_keys.
Result<HeldKeys> held_keys(Session& session, const Lease& lease);

struct DueRow {
  std::int64_t seq = 0;
  std::optional<std::string> key;
  HeldFacts facts;
  bool head = false;  ///< false: it waits directly behind the row before it
};

/// What Store::read_held needs to know before it looks up the rows themselves.
struct DueRows {
  std::vector<DueRow> rows;
  bool more = false;                    ///< beyond these there are heads that are due
  bool more_keys = false;               ///< of keys
  std::optional<Duration> next_due_in;  ///< of those that are not due yet
};

/// The defect of a held row that is gone.
inline constexpr std::string_view row_gone =
    "its row is no longer in the outbox: somebody has deleted it, so there is nothing to send; discard it";

/// First rows of keys whose time has come, the longest due first, each followed by what waits directly behind
/// it; at most `rows_max`.
Result<DueRows> due_rows(Session& session, const Lease& lease, std::size_t rows_max);

/// Makes a HeldBatch of due rows, which must outlive it, as they are looked up one by one, in order.
class HeldBatchBuilder {
 public:
  HeldBatchBuilder(const ReadLimit& limit, const DueRows& due);

  /// The row that is next among those due.
  [[nodiscard]] const DueRow& next() const { return due_.rows[added_]; }
  [[nodiscard]] bool done() const { return added_ == due_.rows.size(); }
  [[nodiscard]] bool empty() const { return added_ == 0; }
  /// False: the batch is full, the row was not taken.
  bool add(const RowView& row);
  [[nodiscard]] HeldBatch take();

 private:
  const DueRows& due_;
  BatchBuilder builder_;
  std::vector<HeldFacts> facts_;
  std::size_t added_ = 0;
};

}  // namespace outbox::sql
