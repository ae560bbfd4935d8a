#include "adapters/stores/postgresql/postgresql_log.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <tuple>
#include <utility>

#include "adapters/stores/postgresql/reader.h"
#include "adapters/stores/postgresql/tables.h"
#include "adapters/stores/postgresql/undated_rows.h"

namespace outbox::postgresql {
namespace {

/// The marks of route $1 as a table m. Marks of another cluster have passed nothing, and a route without
/// marks takes everything and has passed nothing.
constexpr const char* with_marks =
    "WITH m AS MATERIALIZED (SELECT CASE WHEN same.here THEN k.seen ELSE '1:1:'::pg_snapshot END AS seen, "
    "CASE "
    "WHEN same.here THEN k.upto END AS upto, k.seq, k.topics FROM {mark} k CROSS JOIN LATERAL (SELECT "
    "k.system_identifier = c.system_identifier AS here FROM pg_control_system() c) same WHERE k.route = $1 "
    "UNION ALL SELECT '1:1:'::pg_snapshot, NULL, 0, ARRAY['%'] WHERE NOT EXISTS (SELECT FROM {mark} WHERE "
    "route = $1)) ";

/// The rows `o` of the outbox that some mark of m has not passed, by the index on (tx, seq).
std::string pending_rows(const std::string& columns) {
  // what the slowest mark knew of transactions, the others knew as well
  const std::string known = "(SELECT pg_snapshot_xmax(m.seen) AS number FROM m ORDER BY number LIMIT 1)";
  const std::string select = "SELECT " + columns + " FROM {outbox} o WHERE ";
  const std::string not_passed = " AND EXISTS (SELECT FROM m WHERE NOT {passed m o})";
  return select + "o.tx >= " + known + not_passed + " UNION ALL " + select +
         "o.tx = ANY (ARRAY(SELECT DISTINCT x FROM m, pg_snapshot_xip(m.seen) x WHERE x < " + known +
         " AND pg_visible_in_snapshot(x, pg_current_snapshot())))" + not_passed;
}

const sql::Statement current_snapshot = {"outbox_log_snapshot", 0, "SELECT pg_current_snapshot()::text"};
const sql::Statement count_pending = {
    "outbox_log_backlog", 1,
    with_marks +
        ("SELECT count(*), {age min(o.created_at)} FROM (" + pending_rows("o.created_at, o.topic, o.tx")) +
        ") o WHERE o.tx < pg_snapshot_xmax(pg_current_snapshot()) AND EXISTS (SELECT FROM m WHERE {takes "
        "m.topics o.topic})"};
// In one statement, or a row that is committed in between would be passed unsent.
const sql::Statement lowest_unsettled = {
    "outbox_log_lowest", 1,
    with_marks +
        ("SELECT pg_current_snapshot()::text, (SELECT min(p.seq) FROM (" + pending_rows("o.seq + 0 AS seq")) +
        ") p)"};
// A route that does not hold it, or still does, has the say as well.
const sql::Statement undated_elsewhere = {
    "outbox_log_undated_elsewhere", 0,
    "SELECT o.seq, k.route FROM {outbox} o JOIN {mark} k ON {takes k.topics o.topic} WHERE o.seq {in_rows "
    "SELECT "
    "{r.seq} FROM {rows}} AND o." +
        std::string(is_undated) +
        " AND NOT EXISTS (SELECT 1 FROM {rows} WHERE {r.route} = k.route AND {r.seq} = o.seq) LIMIT 1",
    "route text, seq bigint"};
const sql::Statement forget_undated = {
    "outbox_log_forget_undated", 0,
    "DELETE FROM {outbox} o WHERE o.seq {in_rows SELECT {r.seq} FROM {rows}} AND o." +
        std::string(is_undated),
    "route text, seq bigint"};
const sql::Statement positions = {"outbox_log_positions", 0, "SELECT {position} FROM {mark}"};
// What it looked at, the last of them, how many every route has passed, then and still, how many it removed.
// A mark of another cluster tells nothing of what was sent.
const sql::Statement remove_chunk = {
    "outbox_log_remove", 3,
    "WITH m AS MATERIALIZED (SELECT seen FROM {mark}), looked AS MATERIALIZED (SELECT o.seq, "
    "pg_visible_in_snapshot(o.tx, $1::pg_snapshot) AND EXISTS (SELECT FROM m) "
    "AND NOT EXISTS (SELECT FROM m WHERE NOT pg_visible_in_snapshot(o.tx, m.seen)) "
    "AND NOT EXISTS (SELECT FROM {mark} k WHERE k.system_identifier <> (SELECT system_identifier FROM "
    "pg_control_system())) AS past FROM {outbox} o WHERE o.seq > $2::bigint ORDER BY o.seq LIMIT "
    "$3::bigint), "
    "gone AS (DELETE FROM {outbox} o USING looked l WHERE o.seq = l.seq AND l.past "
    "AND NOT EXISTS (SELECT FROM {held} h WHERE h.seq = l.seq) RETURNING 1) "
    "SELECT count(*), max(seq), count(*) FILTER (WHERE past), (SELECT count(*) FROM gone) FROM looked"};
const sql::Statement foreign_marks = {"outbox_log_foreign", 1,
                                      "SELECT DISTINCT route FROM {mark} WHERE ($1::text IS NULL OR route = "
                                      "$1) AND system_identifier <> (SELECT "
                                      "system_identifier FROM pg_control_system()) ORDER BY route"};

Error of_other_cluster(const PostgresqlSession& session, Fault fault, const char* what,
                       const std::string& route) {
  return session.error(fault, what, "the mark of route " + route + " " + other_cluster + "; " + rebase_fix);
}

/// Snapshots of one server are ordered: none of two sees what the other does not, both ways.
auto order_of(const sql::Position& position) {
  const std::string seen = SnapshotRange::of(position.mark.cursor).seen;
  std::uint64_t xmin = 0, xmax = 0;
  const char* end = seen.data() + seen.size();
  const auto first = std::from_chars(seen.data(), end, xmin);
  const auto second = std::from_chars(std::min(first.ptr + 1, end), end, xmax);
  const bool any = second.ptr + 1 < end;
  const auto in_progress = any ? 1 + std::count(second.ptr, end, ',') : 0;
  return std::tuple(xmax, xmin, -in_progress);
}

}  // namespace

Result<PostgresqlLog> PostgresqlLog::create(PostgresqlSession& session) {
  auto rows = session.connection().run("connect", "SELECT system_identifier FROM pg_control_system()");
  if (!rows) return rows.error();
  return PostgresqlLog(session, rows->string(0, 0));
}

Result<sql::Position> PostgresqlLog::beginning(Start start) {
  sql::Position position{{snapshot_of_nothing, 0}, system_identifier_};
  if (start == Start::oldest) return position;
  auto done = session_->run("acquire", {&current_snapshot, {}}, [&](const sql::Row& row) {
    position.mark.cursor = row.string(0);
    return false;
  });
  if (!done) return done.error();
  return position;
}

Result<std::optional<std::string>> PostgresqlLog::loss_behind(const std::string& route,
                                                              const sql::Position& position) {
  if (position.stamp == system_identifier_) return std::optional<std::string>();
  return of_other_cluster(*session_, Fault::misconfigured, "acquire", route);
}

sql::Position PostgresqlLog::earliest(const std::vector<sql::Position>& positions) const {
  const sql::Position& first =
      *std::ranges::min_element(positions, {}, [](const sql::Position& one) { return order_of(one); });
  if (std::ranges::all_of(positions, [&](const sql::Position& one) { return one == first; })) return first;
  // Where they differ, a range that is half settled is begun anew: repeats at most that range.
  return {{SnapshotRange::of(first.mark.cursor).seen, 0}, first.stamp};
}

std::string_view PostgresqlLog::held_but_unread() const {
  return "EXISTS (SELECT FROM {outbox} o WHERE o.seq = h.seq AND NOT (pg_visible_in_snapshot(o.tx, "
         "split_part($2, '|', 1)::pg_snapshot) OR coalesce(o.seq <= $3::bigint AND "
         "pg_visible_in_snapshot(o.tx, nullif(split_part($2, '|', 2), '')::pg_snapshot), false)))";
}

Result<sql::Position> PostgresqlLog::before(std::int64_t seq) {
  auto snapshot = now();
  if (!snapshot) return snapshot.error();
  return sql::Position{{SnapshotRange{snapshot_of_nothing, snapshot->mark.cursor}.text(), seq - 1},
                       system_identifier_};
}

Result<sql::ReplayPlace> PostgresqlLog::replay_place(const std::string& route, std::int64_t wanted) {
  auto foreign = is_of_other_cluster(route);
  if (!foreign) return foreign.error();
  if (*foreign) return of_other_cluster(*session_, Fault::refused, "replay", route);
  sql::ReplayPlace place{wanted, {}};
  std::string snapshot;
  auto done = session_->run("replay", {&lowest_unsettled, {route}}, [&](const sql::Row& row) {
    snapshot = row.string(0);
    if (!row.null(1)) place.first = std::min(wanted, row.number(1));
    return false;
  });
  if (!done) return done.error();
  place.position = {{SnapshotRange{snapshot_of_nothing, snapshot}.text(), place.first - 1},
                    system_identifier_};
  return place;
}

Result<bool> PostgresqlLog::is_of_other_cluster(const std::optional<std::string>& route) {
  bool any = false;
  auto done = session_->run("replay", {&foreign_marks, {route}}, [&](const sql::Row&) { return any = true; });
  if (!done) return done.error();
  return any;
}

/// Rows of a restored dump hold transaction numbers of another cluster. Those that lie in this one's future
/// would be shown by no snapshot for a long time: they get number 3, the first that there is, which every
/// snapshot shows. All others are visible in every snapshot to come.
Result<void> PostgresqlLog::adopt_rows(const std::optional<std::string>& route) {
  auto foreign = is_of_other_cluster(route);
  if (!foreign) return foreign.error();
  if (!*foreign) return {};
  const std::string outbox = session_->dialect().tables().outbox;
  const std::string future = " WHERE NOT pg_visible_in_snapshot(tx, pg_current_snapshot())";
  auto asked = session_->connection().run(
      "rebase",
      "SELECT EXISTS (SELECT FROM " + outbox + future + "), has_column_privilege($1, 'tx', 'UPDATE')",
      {outbox.c_str()});
  if (!asked) return asked.error();
  if (!asked->boolean(0, 0)) return {};
  if (!asked->boolean(0, 1))
    return Error{
        Fault::misconfigured,
        "postgresql.rebase: " + shown(outbox) +
            " has rows of another cluster's future transactions, which must be dated back, and this role "
            "may not; run as the table's owner, then rebase again: UPDATE " +
            outbox + " SET tx = '3'" + future};
  auto dated = session_->connection().run("rebase", "UPDATE " + outbox + " SET tx = '3'" + future);
  if (!dated) return dated.error();
  return {};
}

Result<std::vector<std::int64_t>> PostgresqlLog::put_behind_all(const std::vector<std::int64_t>& seqs) {
  const sql::Tables& tables = session_->dialect().tables();
  const std::string where = " WHERE seq = ANY ($1::bigint[]) AND " + std::string(is_undated);
  const std::string numbers = session_->dialect().numbers(seqs);
  auto found =
      session_->connection().run("requeue", "SELECT seq FROM " + tables.outbox + where, {numbers.c_str()});
  if (!found) return found.error();
  std::vector<std::int64_t> undated;
  for (int row = 0; row < found->count(); ++row) undated.push_back(found->integer(row, 0));
  if (undated.empty()) return undated;
  auto may = session_->connection().run("requeue", "SELECT has_column_privilege($1, 'tx', 'UPDATE')",
                                        {tables.outbox.c_str()});
  if (!may) return may.error();
  if (!may->boolean(0, 0))
    return session_->error(Fault::refused, "requeue",
                           "seq " + std::to_string(undated.front()) +
                               " has a tx that no transaction of this server has had; it must get another, "
                               "and this role may not: grant UPDATE (tx) on " +
                               shown(tables.outbox) +
                               ", or run as the table's owner, for all such rows: " + dating_of(tables));
  auto dated = session_->connection().run(
      "requeue", "UPDATE " + tables.outbox + " SET tx = pg_current_xact_id()" + where, {numbers.c_str()});
  if (!dated) return dated.error();
  return undated;
}

Result<void> PostgresqlLog::forget(const sql::ValueRows& discarded) {
  std::optional<std::string> taken;
  auto found = session_->run("discard", {&undated_elsewhere, {}, &discarded}, [&](const sql::Row& row) {
    taken = "route " + row.string(1) + " takes seq " + row.string(0);
    return false;
  });
  if (!found) return found.error();
  if (taken)
    return session_->error(
        Fault::refused, "discard",
        *taken +
            " as well, which has a tx that no transaction of this server has had, and so can "
            "only be given up for all routes at once: leave --route out, once each holds it");
  if (auto forgotten = session_->run("discard", {&forget_undated, {}, &discarded}); !forgotten)
    return forgotten.error();
  return {};
}

Result<Backlog> PostgresqlLog::backlog(const std::string& route) {
  Backlog backlog;
  auto done = session_->run("backlog", {&count_pending, {route}}, [&](const sql::Row& row) {
    backlog = {row.number(0), std::chrono::microseconds(row.number(1))};
    return false;
  });
  if (!done) return done.error();
  return backlog;
}

Result<std::optional<sql::Position>> PostgresqlLog::passed_by_all() {
  std::vector<sql::Position> marks;
  bool ours = true;
  auto done = session_->run("retention", {&positions, {}}, [&](const sql::Row& row) {
    // a range that is half settled is not passed
    marks.push_back({{SnapshotRange::of(row.string(0)).seen, 0}, row.optional(2)});
    return ours = ours && marks.back().stamp == system_identifier_;
  });
  if (!done) return done.error();
  if (marks.empty() || !ours) return std::optional<sql::Position>();
  return std::optional(earliest(marks));
}

Result<Removed> PostgresqlLog::remove_passed(const sql::Position& passed, std::size_t rows_max,
                                             std::int64_t& place) {
  auto transaction = sql::Transaction::begin(*session_, "retention");
  if (!transaction) return transaction.error();
  if (auto set = session_->connection().run("retention", "SET LOCAL lock_timeout = '1s'"); !set)
    return set.error();
  std::size_t looked = 0, past = 0, gone = 0;
  std::int64_t last = 0;
  const std::int64_t after = place == 0 ? std::numeric_limits<std::int64_t>::min() : place;
  auto done = session_->run("retention", {&remove_chunk, {passed.mark.cursor, after, rows_max}},
                            [&](const sql::Row& row) {
                              looked = static_cast<std::size_t>(row.number(0));
                              last = row.number(1);
                              past = static_cast<std::size_t>(row.number(2));
                              gone = static_cast<std::size_t>(row.number(3));
                              return false;
                            });
  if (!done) return done.error();
  if (auto committed = transaction->commit(); !committed) return committed.error();
  // Where a whole chunk is not passed, so is what follows: a backlog is not walked through.
  const bool more = looked == rows_max && past > 0;
  place = more ? last : 0;
  return Removed{gone, more};
}

Result<void> add_other_cluster(PostgresqlSession& session, std::vector<Finding>& findings) {
  auto done = session.run("check", {&foreign_marks, {nullptr}}, [&](const sql::Row& row) {
    findings.push_back(
        {Finding::Level::fault, "the mark of route " + row.string(0) + " " + other_cluster, rebase_fix});
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace outbox::postgresql
