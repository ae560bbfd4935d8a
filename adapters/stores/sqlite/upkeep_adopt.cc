// SqliteUpkeep::adopt: unrouted rows find their route.
#include <algorithm>
#include <cstdint>
#include <set>

#include "adapters/stores/sqlite/held_rows.h"
#include "adapters/stores/sqlite/row_lookup.h"
#include "adapters/stores/sqlite/sqlite_upkeep.h"
#include "adapters/stores/sqlite/wall_clock.h"
#include "core/shard.h"
#include "core/topics.h"

namespace outbox {
namespace {

using sqlite::Connection;
using sqlite::MarkRow;
using sqlite::StateFile;

constexpr std::string_view what = "adopt";

struct UnroutedRow {
  std::string holder;  ///< the route that came across it
  std::int64_t seq = 0;
  std::optional<std::string> key;
  std::optional<Timestamp> deliver_at;
};

Result<std::vector<UnroutedRow>> unrouted_rows(Connection& connection, sqlite::RowLookup& rows,
                                               const Topics& topics) {
  auto statement = connection.prepare(
      "SELECT route, seq, message_key FROM outbox_held WHERE state = 'unrouted' ORDER BY seq", what);
  if (!statement) return statement.error();
  std::vector<UnroutedRow> found;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    auto row = rows.find(statement->number(1));
    if (!row) return row.error();
    if (!*row || !topics.take((*row)->topic)) continue;
    UnroutedRow& one = found.emplace_back();
    one.holder = statement->string(0);
    one.seq = statement->number(1);
    if (!statement->is_null(2)) one.key = statement->string(2);
    one.deliver_at = (*row)->deliver_at;
  }
  if (code != SQLITE_DONE) return connection.error_of(code, what);
  return found;
}

/// Moves rows from whoever holds them as unrouted to the route that takes them.
class Adoption {
 public:
  Adoption(StateFile& state, const std::string& route, const std::vector<MarkRow>& marks)
      : state_(state), connection_(state.connection()), route_(route), marks_(marks) {}

  Result<void> prepare() {
    if (auto done = connection_.prepare_into(
            let_go_, "DELETE FROM outbox_held WHERE route = ?1 AND seq = ?2 AND state = 'unrouted'", what);
        !done)
      return done;
    // What the route holds already is left as it is.
    return connection_.prepare_into(
        hold_,
        "INSERT INTO outbox_held (route, seq, shard, message_key, state, blocks, next_attempt_at, timed_at, "
        "held_at) VALUES (?1, ?2, ?3, ?4, CASE WHEN ?4 IS NOT NULL THEN 'blocked' WHEN ?5 > ?6 THEN "
        "'scheduled' ELSE 'retrying' END, 1, ?5, ?6, ?6) ON CONFLICT (route, seq) DO NOTHING",
        what);
  }

  Result<void> take(const UnroutedRow& row) {
    if (auto done = run(let_go_.bind(1, row.holder).bind(2, row.seq)); !done) return done;
    holders_.insert(row.holder);
    const int shard = shard_of(row.key, row.seq, static_cast<int>(marks_.size()));
    if (row.seq > *marks_[static_cast<std::size_t>(shard)].seq) return {};
    const Timestamp now = sqlite::wall_clock();
    const std::string now_text = sqlite::wall_text(now);
    const std::string due = row.deliver_at > now ? sqlite::wall_text(*row.deliver_at) : now_text;
    hold_.bind(1, route_).bind(2, row.seq).bind(3, std::int64_t{shard}).bind_optional(4, row.key);
    if (row.key) keys_.insert(*row.key);
    return run(hold_.bind(5, due).bind(6, now_text));
  }

  Result<void> finish(std::int64_t rows) {
    if (auto ordered = sqlite::HeldRows(connection_).order_queues(route_, keys_); !ordered)
      return ordered.error();
    holders_.insert(route_);
    for (const std::string& route : holders_)
      if (auto noted = state_.held_changed(route); !noted) return noted;
    return state_.audit("outboxd", "adopt", route_, "{\"rows\":" + std::to_string(rows) + "}");
  }

 private:
  Result<void> run(sqlite::Statement& statement) {
    if (const int code = statement.run(); code != SQLITE_DONE) return connection_.error_of(code, what);
    return {};
  }

  StateFile& state_;
  Connection& connection_;
  const std::string& route_;
  const std::vector<MarkRow>& marks_;
  sqlite::Statement let_go_, hold_;
  sqlite::TouchedKeys keys_;
  std::set<std::string> holders_;
};

}  // namespace

Result<std::int64_t> SqliteUpkeep::adopt(const std::string& route, const std::vector<std::string>& topics) {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto file = files_.state(*database);
  if (!file) return file.error();
  if (!*file) return 0;
  StateFile& state = **file;
  auto rows = sqlite::RowLookup::open(std::move(*database), files_);
  if (!rows) return rows.error();
  auto transaction = state.begin(what);
  if (!transaction) return transaction.error();
  auto marks = state.load(route);
  if (!marks) return marks.error();
  const bool begun = !marks->empty() &&
                     std::ranges::all_of(*marks, [](const MarkRow& mark) { return mark.seq.has_value(); });
  if (!begun) return 0;
  auto found = unrouted_rows(state.connection(), *rows, Topics(topics));
  if (!found) return found.error();
  if (found->empty()) return 0;
  Adoption adoption(state, route, *marks);
  if (auto done = adoption.prepare(); !done) return done.error();
  for (const UnroutedRow& row : *found)
    if (auto taken = adoption.take(row); !taken) return taken.error();
  const std::int64_t count = std::ssize(*found);
  if (auto finished = adoption.finish(count); !finished) return finished.error();
  if (auto committed = transaction->commit(what); !committed) return committed.error();
  return count;
}

}  // namespace outbox
