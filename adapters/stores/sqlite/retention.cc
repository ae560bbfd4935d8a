#include "adapters/stores/sqlite/retention.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "adapters/stores/sqlite/outbox_table.h"
#include "adapters/stores/sqlite/wall_clock.h"

namespace outbox::sqlite {
namespace {

constexpr std::string_view what = "retention";

// A chunk of large rows ends sooner: a service waits for it, and each page of a payload is touched.
constexpr std::int64_t chunk_bytes_max = 4 << 20;

/// Dead rows that hold nothing up and that nobody has asked for in time: how many are given up.
Result<std::size_t> forget_dead(StateFile& state, Duration after, std::size_t rows_max) {
  Connection& connection = state.connection();
  const std::string before =
      wall_text(wall_clock() - std::chrono::duration_cast<std::chrono::microseconds>(after));
  const std::string dead =
      " FROM outbox_held INDEXED BY outbox_held_dead WHERE state = 'dead' AND blocks = 0 AND "
      "coalesce(last_failed_at, held_at) <= ?1 LIMIT ?2";
  auto transaction = state.begin(what);
  if (!transaction) return transaction.error();
  const auto limit = static_cast<std::int64_t>(rows_max);
  for (const std::string& sql :
       {"UPDATE outbox_mark SET held_version = held_version + 1 WHERE route IN (SELECT route" + dead + ")",
        "DELETE FROM outbox_held WHERE (route, seq) IN (SELECT route, seq" + dead + ")"}) {
    auto statement = connection.prepare(sql, what);
    if (!statement) return statement.error();
    if (const int code = statement->bind(1, before).bind(2, limit).run(); code != SQLITE_DONE)
      return connection.error_of(code, what);
  }
  const auto removed = static_cast<std::size_t>(sqlite3_changes(connection.handle()));
  if (removed == 0) return removed;  // rolled back: nothing was changed
  if (auto committed = transaction->commit(what); !committed) return committed.error();
  return removed;
}

/// Where the slowest route is, and what is held behind it.
class Waiting {
 public:
  explicit Waiting(StateFile& state) : state_(state) {}

  /// nullopt: a route has not begun, or has another database's mark: nothing may go.
  Result<std::optional<std::int64_t>> lowest_mark(OutboxTable& table) {
    auto marks = state_.load("");
    if (!marks) return marks.error();
    std::optional<std::int64_t> lowest;
    for (const MarkRow& mark : *marks) {
      if (!mark.seq) return std::optional<std::int64_t>();
      auto loss = table.loss_behind(*mark.seq, mark.last_id);
      if (!loss) return loss.error();
      if (*loss) return std::optional<std::int64_t>();
      lowest = std::min(lowest.value_or(*mark.seq), *mark.seq);
    }
    return lowest;
  }

  /// By one seek per route: what is held has no order by seq alone.
  Result<std::set<std::int64_t>> held_between(std::int64_t first, std::int64_t last) {
    auto statement = state_.connection().prepare(
        "WITH RECURSIVE r(route) AS (SELECT min(route) FROM outbox_held UNION ALL SELECT (SELECT min(route) "
        "FROM outbox_held WHERE route > r.route) FROM r WHERE r.route IS NOT NULL) "
        "SELECT h.seq FROM r CROSS JOIN outbox_held AS h ON h.route = r.route AND h.seq BETWEEN ?1 AND ?2",
        what);
    if (!statement) return statement.error();
    statement->bind(1, first).bind(2, last);
    std::set<std::int64_t> held;
    int code = SQLITE_ROW;
    while ((code = statement->step()) == SQLITE_ROW) held.insert(statement->number(0));
    if (code != SQLITE_DONE) return state_.connection().error_of(code, what);
    return held;
  }

 private:
  StateFile& state_;
};

bool is_busy(int code) {
  return (code & 0xff) == SQLITE_BUSY;
}

/// False: a service is writing, nothing was removed. Never waits for one.
Result<bool> remove(const Files& files, const OutboxTable& table, const std::vector<std::int64_t>& seqs) {
  auto connection = Connection::open(table.file(), Access::existing, Duration::zero());
  if (!connection) return connection.error();
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  auto statement = connection->prepare("DELETE FROM " + files.rows() + " WHERE seq = ?1", what);
  if (!statement) return statement.error();
  // A service waits for no sync of ours: what a power failure brings back is removed again. Only in WAL mode,
  // where the file stays whole without it.
  auto mode = connection->prepare("PRAGMA main.journal_mode", what);
  if (!mode) return mode.error();
  const bool wal = mode->step() == SQLITE_ROW && mode->text(0) == "wal";
  mode->reset();
  if (wal)
    if (auto done = connection->execute("PRAGMA synchronous = NORMAL", what); !done) return done.error();

  const auto failed = [&](int code) -> Result<bool> {
    if (is_busy(code)) return false;
    return connection->error_of(code, what);
  };
  int code = sqlite3_exec(connection->handle(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  // Whatever was looked at is in the file that has the name; if it has another now, nothing is known of that.
  if (table.has_moved() || connection->has_moved()) return false;
  for (const std::int64_t seq : seqs)
    if (code = statement->bind(1, seq).run(); code != SQLITE_DONE) return failed(code);
  code = sqlite3_exec(connection->handle(), "COMMIT", nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return true;
}

/// What of the rows may go, and how far that has been decided.
struct Chunk {
  std::vector<std::int64_t> seqs;
  std::int64_t end = 0;
  bool old = false;  ///< at least one row is old enough, held or not
  bool young = false;
};

Chunk chunk_of(const std::vector<AgedRow>& rows, const std::set<std::int64_t>& held, Duration kept) {
  Chunk chunk;
  const Timestamp now = wall_clock();
  std::int64_t bytes = 0;
  for (const AgedRow& row : rows) {
    if (bytes >= chunk_bytes_max) break;
    chunk.end = row.seq;
    // Stamped by a clock that has been put back since: it stays until then, but says nothing of later rows.
    if (row.created_at > now) continue;
    const bool old = !row.created_at || between(*row.created_at, now) >= kept;
    (old ? chunk.old : chunk.young) = true;
    if (!old || held.contains(row.seq)) continue;
    chunk.seqs.push_back(row.seq);
    bytes += row.bytes;
  }
  return chunk;
}

}  // namespace

Result<Removed> remove_sent_rows(const Files& files, const Retention& retention, std::int64_t& place) {
  const std::size_t rows_max = std::max<std::size_t>(retention.rows_max, 1);
  auto table = OutboxTable::open(files.path(), files.table());
  if (!table) return table.error();
  if (!file_exists(state_path_of(table->file()))) return Removed{};
  auto state = StateFile::open(table->file(), Access::existing);
  if (!state) return state.error();
  if (place == 0 && retention.dead) {
    auto forgotten = forget_dead(*state, *retention.dead, rows_max);
    if (!forgotten) return forgotten.error();
    if (*forgotten >= rows_max) return Removed{0, true};
  }

  Waiting waiting(*state);
  std::vector<AgedRow> rows;
  Chunk chunk;
  {
    // Marks and held rows of one moment: a row that is held meanwhile lies beyond these marks.
    auto reading = Transaction::begin_reading(state->connection(), what);
    if (!reading) return reading.error();
    auto lowest = waiting.lowest_mark(*table);
    if (!lowest) return lowest.error();
    if (!*lowest) return Removed{};
    auto found = table->rows_between(place, **lowest + 1, rows_max);
    if (!found) return found.error();
    rows = std::move(*found);
    if (rows.empty()) {
      place = 0;
      return Removed{};
    }
    auto held = waiting.held_between(rows.front().seq, rows.back().seq);
    if (!held) return held.error();
    chunk = chunk_of(rows, *held, retention.sent);
  }
  if (!chunk.seqs.empty()) {
    auto removed = remove(files, *table, chunk.seqs);
    if (!removed) return removed.error();
    if (!*removed) return Removed{0, true};
  }
  const bool whole = chunk.end == rows.back().seq;
  const bool more = !whole || (rows.size() == rows_max && (chunk.old || !chunk.young));
  place = more ? chunk.end : 0;
  return Removed{chunk.seqs.size(), more};
}

}  // namespace outbox::sqlite
