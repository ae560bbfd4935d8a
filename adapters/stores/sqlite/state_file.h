// The relay's own file beside a SQLite database: leases, marks, held rows. Owned by the thread that opened
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/database.h"
#include "core/store.h"

namespace outbox::sqlite {

/// One row of outbox_mark.
struct MarkRow {
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

  Result<std::optional<MarkRow>> load(const std::string& route, int shard);

  /// Writes the whole row. Within a transaction that has loaded it.
  Result<void> store(const std::string& route, int shard, const MarkRow& row);

  /// Each changes the row only if the lease is still the row's. Errors: fenced; unavailable.
  Result<void> renew(const Lease& lease);
  Result<void> release(const Lease& lease);
  Result<void> save(const Lease& lease, std::int64_t seq, const std::optional<std::string>& last_id);

  /// Within the transaction of save(). Errors: unavailable.
  Result<void> hold(const Lease& lease, std::span<const Hold> holds);

  /// Leaves a trace for operators in outbox_audit.
  Result<void> audit(std::string_view action, const std::string& route, const std::string& detail);

 private:
  explicit StateFile(Connection connection) : connection_(std::move(connection)) {}

  Result<void> prepare();
  Result<void> migrate();
  Result<void> fenced_run(Statement& statement, const Lease& lease, std::string_view what);

  Connection connection_;
  Statement renew_, release_, save_;
};

}  // namespace outbox::sqlite
