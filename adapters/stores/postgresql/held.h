// The rows of outbox_held: written with a settle, counted, read when their time has come. Owned by the
// store's thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/store.h"

namespace outbox::postgresql {

/// The state that has this name; an assertion otherwise, because the table allows no others.
HeldState held_state(std::string_view name);

/// SQL for: this row of outbox_held blocks the key, an expression. By the index on the key's hash.
std::string blocks_key(const std::string& alias, const std::string& key);

/// An UPDATE that lets keys go on: `touched` is a table expression with the columns route and message_key.
/// The first row of each that blocks it is no longer `blocked`. It must be a statement of its own, because
/// parts of one statement do not see each other's changes, and its transaction must have locked the mark's
/// row, so that nobody puts a row behind one that is just being taken away.
std::string promotion(const std::string& held_table, const std::string& touched);

/// What a settle writes of held rows, as parameters. Owns the texts that its steps look at.
class HeldSteps {
 public:
  HeldSteps(const Lease& lease, const HeldWrites& held);

  /// What follows the statement that moves the mark, in its transaction. The last one's result is the freed
  /// keys. Nothing has an effect unless the mark's row is under the lease's epoch.
  [[nodiscard]] std::vector<Step> steps() const;

 private:
  std::string route_, shard_, epoch_;
  std::vector<std::string> holds_, changes_;  ///< columns as arrays; empty: none
  std::string removals_, keys_;
};

class Held {
 public:
  /// Prepares the statements on the connection, which must outlive the object; those of HeldSteps as well.
  static Result<Held> prepare(Connection& connection, const Tables& tables);

  Result<HeldKeys> keys(const Lease& lease);
  Result<HeldBatch> read(const Lease& lease, const ReadLimit& limit);

 private:
  explicit Held(Connection& connection) : connection_(&connection) {}

  Connection* connection_;
};

}  // namespace outbox::postgresql
