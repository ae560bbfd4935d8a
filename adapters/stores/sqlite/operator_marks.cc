// SqliteOperator: marks put where an operator wants them.
#include <algorithm>
#include <cstdint>
#include <set>

#include "adapters/stores/sqlite/sqlite_operator.h"
#include "adapters/stores/sqlite/wall_clock.h"
#include "base/json_text.h"

namespace outbox {
namespace {

using sqlite::Connection;
using sqlite::MarkRow;
using sqlite::StateFile;

Error refused(std::string_view action, const std::string& text) {
  return {Fault::refused, "sqlite." + std::string(action) + ": " + text};
}

/// The outbox as somebody sees it who looks for a place in it.
class Log {
 public:
  Log(Connection& connection, const sqlite::Files& files) : connection_(connection), files_(files) {}

  /// The first row that is to go out again; behind the newest one when there is none.
  Result<std::int64_t> first_row(const MarkPlace& from, std::string_view action) {
    auto next = next_row();
    if (!next) return next.error();
    switch (from.kind) {
      case MarkPlace::Kind::now:
        return *next;
      case MarkPlace::Kind::oldest: {
        auto oldest = connection_.number("SELECT min(seq) FROM " + files_.rows(), action);
        if (!oldest) return oldest.error();
        return oldest->value_or(*next);
      }
      case MarkPlace::Kind::time:
        return first_since(from.time, *next, action);
      case MarkPlace::Kind::seq:
        break;
    }
    if (from.seq < 1 || from.seq > *next)
      return refused(action, "there is no seq " + std::to_string(from.seq) +
                                 " in the outbox; the next one is " + std::to_string(*next));
    return from.seq;
  }

  Result<std::int64_t> count_from(std::int64_t seq, std::string_view action) {
    auto count = connection_.number(
        "SELECT count(*) FROM " + files_.rows() + " WHERE seq >= " + std::to_string(seq), action);
    if (!count) return count.error();
    return count->value_or(0);
  }

  Result<std::optional<std::string>> id_of(std::int64_t seq) {
    auto statement = connection_.prepare("SELECT id FROM " + files_.rows() + " WHERE seq = ?1", "mark");
    if (!statement) return statement.error();
    const int code = statement->bind(1, seq).step();
    if (code == SQLITE_DONE) return std::optional<std::string>();
    if (code != SQLITE_ROW) return connection_.error_of(code, "mark");
    return std::optional(statement->string(0));
  }

 private:
  /// The one behind the newest, though that may be gone.
  Result<std::int64_t> next_row() {
    auto statement =
        connection_.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", "mark");
    if (!statement) return statement.error();
    const int code = statement->bind(1, files_.table()).step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, "mark");
    return code == SQLITE_ROW ? statement->number(0) + 1 : 1;
  }

  Result<std::int64_t> first_since(const std::string& text, std::int64_t next, std::string_view action) {
    const auto time = parse_timestamp(text);
    if (!time) return refused(action, text + " is no date; it must look like 2026-01-31T12:00:00Z");
    auto statement = connection_.prepare(
        "SELECT min(seq) FROM " + files_.rows() + " WHERE julianday(created_at) >= julianday(?1)", action);
    if (!statement) return statement.error();
    const std::string since = sqlite::wall_text(*time);
    const int code = statement->bind(1, since).step();
    if (code != SQLITE_ROW) return connection_.error_of(code, action);
    return statement->is_null(0) ? next : statement->number(0);
  }

  Connection& connection_;
  const sqlite::Files& files_;
};

/// Takes the route's leases from whoever holds them, and what is held from the place on: it is read again.
Result<void> forget_from(StateFile& state, const std::string& route, std::int64_t first) {
  auto statement = state.connection().prepare(
      "DELETE FROM outbox_held WHERE route = ?1 AND seq >= ?2 AND state <> 'unrouted'", "mark");
  if (!statement) return statement.error();
  const int code = statement->bind(1, route).bind(2, first).run();
  if (code != SQLITE_DONE) return state.connection().error_of(code, "mark");
  return state.held_changed(route);
}

Result<void> put(StateFile& state, Log& log, const std::string& route, std::int64_t mark, bool only_back) {
  auto rows = state.load(route);
  if (!rows) return rows.error();
  auto id = log.id_of(mark);
  if (!id) return id.error();
  for (MarkRow& row : *rows) {
    row.owner.clear();
    ++row.epoch;
    ++row.beat;
    // A mark that has not begun has nothing behind it.
    if (!only_back || row.seq.value_or(0) > mark) {
      if (*id || row.seq != mark) row.last_id = *id;
      row.seq = mark;
    }
    if (auto stored = state.store(route, row); !stored) return stored;
  }
  return forget_from(state, route, mark + 1);
}

Result<std::set<std::string>> routes_of(StateFile& state, const std::optional<std::string>& wanted) {
  auto statement = state.connection().prepare(
      "SELECT DISTINCT route FROM outbox_mark WHERE ?1 IS NULL OR route = ?1", "mark");
  if (!statement) return statement.error();
  statement->bind_optional(1, wanted);
  std::set<std::string> routes;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) routes.insert(statement->string(0));
  if (code != SQLITE_DONE) return state.connection().error_of(code, "mark");
  return routes;
}

std::string detail_of(const MarkPlace& from, std::int64_t first, std::int64_t rows) {
  std::string detail = "{\"from\":";
  switch (from.kind) {
    case MarkPlace::Kind::oldest:
      detail += "\"oldest\"";
      break;
    case MarkPlace::Kind::now:
      detail += "\"now\"";
      break;
    case MarkPlace::Kind::seq:
      detail += std::to_string(from.seq);
      break;
    case MarkPlace::Kind::time:
      append_json_string(detail, from.time);  // it has been understood, so it is ASCII
      break;
  }
  return detail + ",\"first_seq\":" + std::to_string(first) + ",\"rows\":" + std::to_string(rows) + "}";
}

}  // namespace

Result<Matched> SqliteOperator::replay(const std::string& route, const MarkPlace& from, bool dry_run,
                                       const std::string& actor) {
  if (from.kind == MarkPlace::Kind::now)
    return refused("replay", "from now on nothing is left to replay; name a seq, a time, or the oldest row");
  return move_marks({route, "replay", true}, from, dry_run, actor);
}

Result<Matched> SqliteOperator::rebase(const std::optional<std::string>& route, const MarkPlace& from,
                                       bool dry_run, const std::string& actor) {
  return move_marks({route, "rebase", false}, from, dry_run, actor);
}

Result<Matched> SqliteOperator::move_marks(const MarkMove& move, const MarkPlace& from, bool dry_run,
                                           const std::string& actor) {
  auto opened = open();
  if (!opened) return opened.error();
  Connection& database = opened->rows.database();
  const Error unknown = refused(move.action, (move.route ? "route " + *move.route + " has never run on "
                                                         : "no route has ever run on ") +
                                                 database.file());
  if (!opened->state) return unknown;
  StateFile& state = *opened->state;
  Log log(database, files_);
  auto first = log.first_row(from, move.action);
  if (!first) return first.error();
  auto count = log.count_from(*first, move.action);
  if (!count) return count.error();
  if (move.only_back && *count == 0) return refused(move.action, "the outbox has no row from there on");

  auto transaction = state.begin(move.action);
  if (!transaction) return transaction.error();
  auto routes = routes_of(state, move.route);
  if (!routes) return routes.error();
  if (routes->empty()) return unknown;
  if (dry_run) return Matched{*count, 0};
  for (const std::string& route : *routes) {
    if (auto done = put(state, log, route, *first - 1, move.only_back); !done) return done.error();
    const std::string detail = detail_of(from, *first, *count);
    if (auto noted = state.audit(actor, move.action, route, detail); !noted) return noted.error();
  }
  if (auto committed = transaction->commit(move.action); !committed) return committed.error();
  return Matched{*count, *count};
}

}  // namespace outbox
