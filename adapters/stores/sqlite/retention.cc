#include "adapters/stores/sqlite/retention.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "adapters/stores/sqlite/outbox_table.h"

namespace outbox::sqlite {
namespace {

constexpr const char* what = "retention";

// A chunk of large rows ends sooner: a service waits for it, and each page of a payload is touched.
constexpr std::int64_t chunk_bytes_max = 4 << 20;

const sql::Statement all_marks = {"retention_marks", 0, "SELECT seq, last_id FROM {mark}"};
// By one seek per route: what is held has no order by seq alone.
const sql::Statement held_between = {"retention_held", 2,
                                     "WITH RECURSIVE t(route) AS (SELECT min(route) FROM {held} UNION ALL "
                                     "SELECT (SELECT min(route) FROM {held} "
                                     "WHERE route > t.route) FROM t WHERE t.route IS NOT NULL) SELECT h.seq "
                                     "FROM t CROSS JOIN {held} h ON h.route "
                                     "= t.route AND h.seq BETWEEN $1 AND $2"};

/// As lowest_mark() below.
Result<std::optional<std::int64_t>> lowest_mark_in(SqliteSession& session, OutboxTable& table) {
  std::vector<sql::Position> marks;
  bool all_begun = true;
  auto done = session.run(what, {&all_marks, {}}, [&](const sql::Row& row) {
    all_begun = all_begun && !row.null(0);
    marks.push_back({{"", row.number(0)}, row.optional(1)});
    return true;
  });
  if (!done) return done.error();
  std::optional<std::int64_t> lowest;
  for (const sql::Position& mark : marks) {
    auto loss = table.loss_behind(mark.mark.seq, mark.stamp);
    if (!loss) return loss.error();
    if (*loss || !all_begun) return std::optional<std::int64_t>();
    lowest = std::min(lowest.value_or(mark.mark.seq), mark.mark.seq);
  }
  return lowest;
}

Result<std::set<std::int64_t>> held_rows(SqliteSession& session, std::int64_t first, std::int64_t last) {
  std::set<std::int64_t> held;
  auto done = session.run(what, {&held_between, {first, last}}, [&](const sql::Row& row) {
    held.insert(row.number(0));
    return true;
  });
  if (!done) return done.error();
  return held;
}

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
};

Chunk chunk_of(const std::vector<PassedRow>& rows, const std::set<std::int64_t>& held) {
  Chunk chunk;
  std::int64_t bytes = 0;
  for (const PassedRow& row : rows) {
    if (bytes >= chunk_bytes_max) break;
    chunk.end = row.seq;
    if (held.contains(row.seq)) continue;
    chunk.seqs.push_back(row.seq);
    bytes += row.bytes;
  }
  return chunk;
}

}  // namespace

Result<std::optional<std::int64_t>> lowest_mark(SqliteSession& session, const Files& files) {
  auto table = OutboxTable::open(files.path(), files.table());
  if (!table) return table.error();
  return lowest_mark_in(session, *table);
}

Result<Removed> remove_sent_rows(SqliteSession& session, const Files& files, std::int64_t passed,
                                 std::size_t rows_max, std::int64_t& place) {
  rows_max = std::max<std::size_t>(rows_max, 1);
  auto table = OutboxTable::open(files.path(), files.table());
  if (!table) return table.error();
  std::vector<PassedRow> rows;
  Chunk chunk;
  {
    // Marks and held rows of one moment: a row that is held meanwhile lies beyond these marks.
    auto reading = sql::Transaction::begin(session, what, false);
    if (!reading) return reading.error();
    auto lowest = lowest_mark_in(session, *table);
    if (!lowest) return lowest.error();
    if (!*lowest) return Removed{};
    auto found = table->rows_between(place == 0 ? std::numeric_limits<std::int64_t>::min() : place,
                                     std::min(**lowest, passed) + 1, rows_max);
    if (!found) return found.error();
    rows = std::move(*found);
    if (rows.empty()) {
      place = 0;
      return Removed{};
    }
    auto held = held_rows(session, rows.front().seq, rows.back().seq);
    if (!held) return held.error();
    chunk = chunk_of(rows, *held);
  }
  if (!chunk.seqs.empty()) {
    auto removed = remove(files, *table, chunk.seqs);
    if (!removed) return removed.error();
    if (!*removed) return Removed{0, true};
  }
  const bool whole = chunk.end == rows.back().seq;
  const bool more = !whole || rows.size() == rows_max;
  place = more ? chunk.end : 0;
  return Removed{chunk.seqs.size(), more};
}

}  // namespace outbox::sqlite
