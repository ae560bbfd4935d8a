// Held rows in the relay's own file: what a settle writes, who waits for whom, what is due. Owned by the
// thread of its connection.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/sqlite/database.h"
#include "core/store.h"

namespace outbox::sqlite {

struct DueRow {
  HeldRow row;
  int attempts = 0;
  bool head = false;  ///< false: it waits directly behind the row before it
};

struct DueRows {
  std::vector<DueRow> rows;
  bool more = false;                    ///< beyond these rows there are more that are due
  bool more_keys = false;               ///< of keys
  std::optional<Duration> next_due_in;  ///< of those that are not due yet
};

/// The state of that name.
HeldState held_state_of(std::string_view name);

/// The keys of a route whose rows were changed.
using TouchedKeys = std::set<std::string, std::less<>>;

/// Looks into the connection for as long as it lives. Errors: as Connection::error_of().
class HeldRows {
 public:
  explicit HeldRows(Connection& connection) : connection_(connection) {}

  /// Within the transaction that saves the mark.
  Result<Settled> write(const Lease& lease, const HeldWrites& writes);

  /// Within the transaction that has changed rows of the keys: the first row of each that blocks it becomes
  /// due, or scheduled for its time, if it was blocked; those behind it wait. The keys that have no such row.
  Result<std::vector<std::string>> order_queues(const std::string& route, const TouchedKeys& keys);

  Result<HeldKeys> keys(const Lease& lease);

  Result<DueRows> due(const Lease& lease, std::size_t rows_max);

 private:
  Result<void> hold(const Lease& lease, const std::vector<Hold>& holds, Timestamp now);
  Result<void> change(const Lease& lease, const std::vector<Hold>& changes, Timestamp now);
  Result<void> remove(const Lease& lease, const std::vector<HeldRow>& rows);
  Result<std::vector<DueRow>> heads(const Lease& lease, std::size_t rows_max, std::string_view now);
  Result<void> add_followers(const Lease& lease, std::size_t room, std::string_view now, Statement& statement,
                             std::vector<DueRow>& rows);
  Result<std::optional<Duration>> next_due_in(const Lease& lease, Timestamp now);
  Result<void> run(Statement& statement);

  Connection& connection_;
};

}  // namespace outbox::sqlite
