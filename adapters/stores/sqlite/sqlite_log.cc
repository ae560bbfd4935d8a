#include "adapters/stores/sqlite/sqlite_log.h"

#include <algorithm>

#include "adapters/stores/sqlite/retention.h"

namespace outbox::sqlite {
namespace {

const sql::Statement id_at = {"log_id", 1, "SELECT id FROM {outbox} WHERE seq = $1"};
const sql::Statement drawn = {"log_drawn", 1,
                              "SELECT seq FROM service.sqlite_sequence WHERE name = $1 COLLATE NOCASE"};
const sql::Statement mark_of_route = {"log_lowest", 1,
                                      "SELECT min(coalesce(seq, 0)) FROM {mark} WHERE route = $1"};
const std::string unsettled =
    "FROM {outbox} o WHERE o.seq > m.seq AND (m.topics = '[\"*\"]' OR {takes m.topics o.topic})";
// A route without marks takes everything and has passed nothing. The first row is the oldest: rows are in the
// order of their commits.
const sql::Statement pending = {"log_backlog", 1,
                                "WITH m AS (SELECT coalesce(min(coalesce(seq, -9223372036854775807)), "
                                "-9223372036854775807) AS seq, coalesce(min(topics), '[\"*\"]') AS topics "
                                "FROM {mark} WHERE route = $1) SELECT (SELECT count(*) " +
                                    unsettled + "), {age (SELECT o.created_at " + unsettled +
                                    " ORDER BY o.seq LIMIT 1)} FROM m"};

}  // namespace

Result<sql::Position> SqliteLog::beginning(Start start) {
  if (start == Start::oldest) {
    auto before = table_.before_first();
    if (!before) return before.error();
    return sql::Position{{"", *before}, {}};
  }
  auto newest = table_.drawn_seq();
  if (!newest) return newest.error();
  auto id = table_.id_of(*newest);
  if (!id) return id.error();
  return sql::Position{{"", *newest}, *id};
}

Result<std::optional<std::string>> SqliteLog::loss_behind(const std::string&, const sql::Position& position) {
  return table_.loss_behind(position.mark.seq, position.stamp);
}

sql::Position SqliteLog::earliest(const std::vector<sql::Position>& positions) const {
  return *std::ranges::min_element(positions, {}, [](const sql::Position& one) { return one.mark.seq; });
}

Result<sql::Position> SqliteAdminLog::now() {
  std::int64_t newest = 0;
  auto done = session_.run("mark", {&drawn, {files_.table()}}, [&](const sql::Row& row) {
    newest = row.number(0);
    return false;
  });
  if (!done) return done.error();
  return before(newest + 1);
}

Result<sql::Position> SqliteAdminLog::before(std::int64_t seq) {
  sql::Position position{{"", seq - 1}, {}};
  auto done = session_.run("mark", {&id_at, {seq - 1}}, [&](const sql::Row& row) {
    position.stamp = row.string(0);
    return false;
  });
  if (!done) return done.error();
  return position;
}

Result<sql::ReplayPlace> SqliteAdminLog::replay_place(const std::string& route, std::int64_t wanted) {
  std::int64_t first = wanted;
  auto done = session_.run("replay", {&mark_of_route, {route}}, [&](const sql::Row& row) {
    first = std::min(wanted, row.number(0) + 1);
    return false;
  });
  if (!done) return done.error();
  auto position = before(first);
  if (!position) return position.error();
  return sql::ReplayPlace{first, *position};
}

Result<Backlog> SqliteAdminLog::backlog(const std::string& route) {
  Backlog backlog;
  auto done = session_.run("backlog", {&pending, {route}}, [&](const sql::Row& row) {
    backlog = {row.number(0), std::chrono::microseconds(row.number(1))};
    return false;
  });
  if (!done) return done.error();
  return backlog;
}

Result<std::optional<sql::Position>> SqliteAdminLog::passed_by_all() {
  auto lowest = lowest_mark(session_, files_);
  if (!lowest) return lowest.error();
  if (!*lowest) return std::optional<sql::Position>();
  return std::optional(sql::Position{{"", **lowest}, {}});
}

Result<Removed> SqliteAdminLog::remove_passed(const sql::Position& passed, std::size_t rows_max,
                                              std::int64_t& place) {
  return remove_sent_rows(session_, files_, passed.mark.seq, rows_max, place);
}

}  // namespace outbox::sqlite
