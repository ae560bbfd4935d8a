// The relay's own file beside a SQLite database: leases and marks. Owned by the thread that opened it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/sqlite/database.h"
#include "core/store.h"

namespace outbox::sqlite {

/// One row of outbox_mark.
struct MarkRow {
  int shard = 0;
  int shards = 1;     ///< how many the route had when the row was made
  std::string owner;  ///< empty: nobody holds the lease
  std::int64_t epoch = 0;
  std::int64_t beat = 0;
  std::optional<std::int64_t> seq;     ///< nullopt: the route has not begun
  std::optional<std::string> last_id;  ///< of the row at seq, when the mark was saved
  bool paused = false;
};

class StateFile {
 public:
  /// Makes the file and its tables where they are missing. Errors: unavailable; misconfigured (no right to
  /// write, not a database, written by a newer outboxd).
  static Result<StateFile> open(const std::string& database, Access access);

  [[nodiscard]] Connection& connection() { return connection_; }

  Result<Transaction> begin(std::string_view what) { return Transaction::begin(connection_, what); }

  /// The rows of a route by shard; of every route with "".
  Result<std::vector<MarkRow>> load(const std::string& route);

  /// Writes the row, made where it is missing. Within a transaction that has loaded it.
  Result<void> store(const std::string& route, const MarkRow& row);

  /// Removes the rows of a route, whose shards are made anew in the same transaction.
  Result<void> forget(const std::string& route);

  /// What the route takes, for outbox_status.
  Result<void> set_topics(const std::string& route, const std::vector<std::string>& patterns);

  /// Within the transaction that has changed what is held of the route: its relay looks again.
  Result<void> held_changed(const std::string& route);

  /// Each changes the row only if the lease is still the row's. Errors: fenced; unavailable.
  Result<void> renew(const Lease& lease);
  Result<void> release(const Lease& lease);
  Result<void> save(const Lease& lease, std::int64_t seq, const std::optional<std::string>& last_id);

  /// Leaves a trace for operators in outbox_audit; `detail` is a JSON object.
  Result<void> audit(std::string_view actor, std::string_view action, const std::optional<std::string>& route,
                     std::string_view detail);

 private:
  explicit StateFile(Connection connection) : connection_(std::move(connection)) {}

  Result<void> prepare();
  Result<void> migrate();
  Result<void> run(Statement& statement, std::string_view what);
  Result<void> fenced_run(Statement& statement, const Lease& lease, std::string_view what);

  Connection connection_;
  Statement renew_, release_, save_;
};

}  // namespace outbox::sqlite
