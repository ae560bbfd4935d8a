// SqliteOperator: the held rows, listed and changed.
#include <cstdint>
#include <map>
#include <set>

#include "adapters/stores/sqlite/held_rows.h"
#include "adapters/stores/sqlite/sqlite_operator.h"
#include "adapters/stores/sqlite/wall_clock.h"

namespace outbox {
namespace {

using sqlite::Connection;
using sqlite::RowLookup;
using sqlite::StateFile;
using sqlite::Statement;

constexpr std::string_view what = "held";

std::optional<std::string> state_text(const HeldFilter& filter) {
  if (!filter.state) return std::nullopt;
  return std::string(name_of(*filter.state));
}

std::string seqs_json(const HeldFilter& filter) {
  std::string json = "[";
  for (const std::int64_t seq : filter.seqs) json += (json.size() > 1 ? "," : "") + std::to_string(seq);
  return json + "]";
}

/// A filter as SQL over outbox_held: everything but the topic, which the other file knows.
class HeldQuery {
 public:
  explicit HeldQuery(const HeldFilter& filter)
      : filter_(filter), state_(state_text(filter)), seqs_(seqs_json(filter)) {}

  /// " WHERE ..." in the places ?1 to ?4.
  [[nodiscard]] std::string where() const {
    std::string sql = " WHERE true";
    if (filter_.route) sql += " AND route = ?1";
    if (state_) sql += " AND state = ?2";
    if (filter_.key) sql += " AND message_key = ?3";
    if (!filter_.seqs.empty()) sql += " AND seq IN (SELECT value FROM json_each(?4))";
    return sql;
  }

  void bind(Statement& statement) const {
    if (filter_.route) statement.bind(1, *filter_.route);
    if (state_) statement.bind(2, *state_);
    if (filter_.key) statement.bind(3, *filter_.key);
    if (!filter_.seqs.empty()) statement.bind(4, seqs_);
  }

  /// For outbox_audit; what is not set is left out.
  Result<std::string> detail(Connection& connection, const Matched& done) const {
    auto statement = connection.prepare(
        "SELECT json_object('filter', json_patch('{}', json_object('route', ?1, 'state', ?2, 'key', ?3, "
        "'topic', ?5, 'seqs', json(nullif(?4, '[]')))), 'matched', ?6, 'changed', ?7)",
        what);
    if (!statement) return statement.error();
    statement->bind_optional(1, filter_.route).bind_optional(2, state_).bind_optional(3, filter_.key);
    statement->bind(4, seqs_).bind_optional(5, filter_.topic).bind(6, done.matched).bind(7, done.changed);
    const int code = statement->step();
    if (code != SQLITE_ROW) return connection.error_of(code, what);
    return statement->string(0);
  }

 private:
  const HeldFilter& filter_;
  std::optional<std::string> state_;
  std::string seqs_;
};

HeldEntry entry_of(const Statement& row) {
  HeldEntry entry;
  entry.route = row.string(0);
  entry.seq = row.number(1);
  entry.shard = static_cast<int>(row.number(2));
  if (!row.is_null(3)) entry.key = row.string(3);
  entry.state = sqlite::held_state_of(row.text(4));
  entry.attempts = static_cast<int>(row.number(5));
  entry.next_attempt_at = row.string(6);
  entry.last_error = row.string(7);
  entry.held_at = row.string(8);
  entry.first_failed_at = row.string(9);
  entry.last_failed_at = row.string(10);
  return entry;
}

struct Candidate {
  std::string route;
  std::int64_t seq = 0;
  std::optional<std::string> key;
};

/// Those that match, the oldest first, counted; the first `rows_max` of them by name.
Result<std::vector<Candidate>> candidates(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                                          RowLookup& rows, StateFile& state, Matched& done) {
  const HeldQuery query(filter);
  // No route takes an unrouted row: there is nobody to try it again.
  const std::string sql = "SELECT route, seq, message_key FROM outbox_held" + query.where() +
                          (action == HeldAction::requeue ? " AND state <> 'unrouted'" : "") +
                          " ORDER BY seq, route";
  auto statement = state.connection().prepare(sql, what);
  if (!statement) return statement.error();
  query.bind(*statement);
  std::vector<Candidate> found;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (filter.topic) {
      auto row = rows.find(statement->number(1));
      if (!row) return row.error();
      if (!*row || (*row)->topic != *filter.topic) continue;
    }
    ++done.matched;
    if (std::ssize(found) >= rows_max) continue;
    Candidate& one = found.emplace_back(Candidate{statement->string(0), statement->number(1), {}});
    if (!statement->is_null(2)) one.key = statement->string(2);
  }
  if (code != SQLITE_DONE) return state.connection().error_of(code, what);
  return found;
}

Result<void> apply(HeldAction action, const std::vector<Candidate>& rows, StateFile& state) {
  Connection& connection = state.connection();
  // Whoever has no key waits for nobody.
  auto statement = connection.prepare(
      action == HeldAction::discard
          ? "DELETE FROM outbox_held WHERE route = ?1 AND seq = ?2"
          : "UPDATE outbox_held SET blocks = 1, attempts = 0, timed_at = ?3, "
            "state = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'blocked' END, "
            "next_attempt_at = CASE WHEN message_key IS NULL THEN ?3 END WHERE route = ?1 AND seq = ?2",
      what);
  if (!statement) return statement.error();
  const std::string now = sqlite::wall_text(sqlite::wall_clock());
  std::map<std::string, sqlite::TouchedKeys> touched;
  for (const Candidate& row : rows) {
    statement->bind(1, row.route).bind(2, row.seq);
    if (action == HeldAction::requeue) statement->bind(3, now);
    if (const int code = statement->run(); code != SQLITE_DONE) return connection.error_of(code, what);
    sqlite::TouchedKeys& keys = touched[row.route];
    if (row.key) keys.insert(*row.key);
  }
  for (const auto& [route, keys] : touched) {
    if (auto ordered = sqlite::HeldRows(connection).order_queues(route, keys); !ordered)
      return ordered.error();
    if (auto noted = state.held_changed(route); !noted) return noted;
  }
  return {};
}

}  // namespace

Result<std::vector<HeldEntry>> SqliteOperator::held(const HeldFilter& filter,
                                                    const std::optional<HeldPlace>& after,
                                                    std::size_t rows_max) {
  std::vector<HeldEntry> entries;
  auto opened = open();
  if (!opened) return opened.error();
  if (!opened->state) return entries;
  Connection& connection = opened->state->connection();
  const HeldQuery query(filter);
  const std::string sql =
      "SELECT route, seq, shard, message_key, state, attempts, next_attempt_at, last_error, held_at, "
      "first_failed_at, last_failed_at FROM outbox_held" +
      query.where() + (after ? " AND (route, seq) > (?5, ?6)" : "") + " ORDER BY route, seq";
  auto statement = connection.prepare(sql, what);
  if (!statement) return statement.error();
  query.bind(*statement);
  if (after) statement->bind(5, after->route).bind(6, after->seq);
  int code = SQLITE_ROW;
  while (entries.size() < rows_max && (code = statement->step()) == SQLITE_ROW) {
    auto row = opened->rows.find(statement->number(1));
    if (!row) return row.error();
    if (filter.topic && (!*row || (*row)->topic != *filter.topic)) continue;
    HeldEntry& entry = entries.emplace_back(entry_of(*statement));
    if (!*row) continue;
    entry.id = (*row)->id;
    entry.topic = (*row)->topic;
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection.error_of(code, what);
  return entries;
}

Result<Matched> SqliteOperator::change_held(HeldAction action, const HeldFilter& filter,
                                            std::int64_t rows_max, bool dry_run, const std::string& actor) {
  Matched done;
  auto opened = open();
  if (!opened) return opened.error();
  if (!opened->state) return done;
  StateFile& state = *opened->state;
  if (dry_run) {
    auto rows = candidates(action, filter, 0, opened->rows, state, done);
    if (!rows) return rows.error();
    return done;
  }
  auto transaction = state.begin(what);
  if (!transaction) return transaction.error();
  auto rows = candidates(action, filter, rows_max, opened->rows, state, done);
  if (!rows) return rows.error();
  if (auto applied = apply(action, *rows, state); !applied) return applied.error();
  done.changed = std::ssize(*rows);
  auto detail = HeldQuery(filter).detail(state.connection(), done);
  if (!detail) return detail.error();
  const auto* name = action == HeldAction::requeue ? "requeue" : "discard";
  if (auto noted = state.audit(actor, name, filter.route, *detail); !noted) return noted.error();
  if (auto committed = transaction->commit(what); !committed) return committed.error();
  return done;
}

}  // namespace outbox
