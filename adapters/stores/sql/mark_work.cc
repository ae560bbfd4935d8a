// SqlAdmin: marks paused and put where an operator wants them.
#include <algorithm>
#include <utility>

#include "adapters/common/owner.h"
#include "adapters/stores/sql/audit.h"
#include "adapters/stores/sql/held.h"
#include "adapters/stores/sql/sql_admin.h"
#include "base/timestamp.h"

namespace outbox::sql {
namespace {

const Statement pause = {"outbox_mark_pause", 2, "UPDATE {mark} SET paused = $2::boolean WHERE route = $1"};
const Statement put_all = {
    "outbox_mark_put_all", 4,
    "UPDATE {mark} SET {move $2 $3 $4}, owner = '', epoch = epoch + 1, beat = beat + 1, held_version = "
    "held_version + 1 WHERE route = $1"};
// Behind the last row that is visible now the route has published nothing: its marks are locked.
const Statement count_replay = {
    "outbox_mark_replay", 1,
    "UPDATE {mark} SET replays = replays + 1, replayed_to = coalesce((SELECT max(seq) FROM {outbox}), 0) "
    "WHERE route = $1"};
const Statement route_names = {
    "outbox_mark_routes", 1,
    "SELECT DISTINCT route FROM {mark} WHERE $1::text IS NULL OR route = $1 ORDER BY route"};
const Statement first_row = {"outbox_first_row", 1, "SELECT min(seq) FROM {outbox} WHERE seq >= $1::bigint"};
const Statement first_row_since = {"outbox_first_row_since", 1,
                                   "SELECT min(seq) FROM {outbox} WHERE {since created_at $1}"};
const Statement count_from = {
    "outbox_count_from", 2,
    "SELECT count(*) FROM {outbox} o WHERE o.seq >= $2::bigint AND EXISTS (SELECT 1 "
    "FROM {mark} k WHERE k.route = $1 AND {takes k.topics o.topic})"};
// what is gone from the outbox does not come again
const Statement forget_from = {
    "outbox_held_forget_from", 2,
    "DELETE FROM {held} AS h WHERE h.route = $1 AND h.seq >= $2::bigint AND h.state <> 'unrouted' AND EXISTS "
    "(SELECT 1 FROM {outbox} o WHERE o.seq = h.seq)"};

// rows that only this route was still to come across, where another one has: nobody else would note them
const Statement note_unsent = {
    "outbox_held_note_unsent", 1,
    "INSERT INTO {held} (route, seq, shard, message_key, state, blocks, topic) SELECT $1, o.seq, 0, "
    "o.message_key, 'unrouted', false, o.topic FROM {outbox} o WHERE EXISTS (SELECT 1 FROM {mark} m WHERE "
    "m.route = $1 AND {takes m.topics o.topic} AND NOT {passed m o}) AND EXISTS (SELECT 1 FROM {mark} k "
    "WHERE "
    "k.route <> $1 AND {passed k o}) AND NOT EXISTS (SELECT 1 FROM {mark} t WHERE t.route <> $1 AND {takes "
    "t.topics o.topic}) ON CONFLICT DO NOTHING"};
const Statement count_held = {"outbox_held_of_route", 1,
                              "SELECT count(*) FROM {held} WHERE route = $1 AND state <> 'unrouted'"};
const Statement drop_held = {"outbox_held_drop", 1,
                             "DELETE FROM {held} WHERE route = $1 AND state <> 'unrouted'"};
const Statement drop_marks = {"outbox_mark_drop", 1, "DELETE FROM {mark} WHERE route = $1"};

std::string_view name_of(MarkPlace::Kind kind) {
  switch (kind) {
    case MarkPlace::Kind::oldest:
      return "oldest";
    case MarkPlace::Kind::now:
      return "now";
    case MarkPlace::Kind::seq:
      return "seq";
    case MarkPlace::Kind::time:
      return "time";
  }
  return "";
}

Error no_route(const Session& session, const char* what, const std::string& route) {
  return session.error(Fault::refused, what,
                       "there is no route " + route + "; a route is there once a relay has run it");
}

Result<std::vector<std::string>> routes_of(Session& session, const char* what,
                                           const std::optional<std::string>& route) {
  std::vector<std::string> routes;
  auto done = session.run(what, {&route_names, {route}}, [&](const Row& row) {
    routes.push_back(row.string(0));
    return true;
  });
  if (!done) return done.error();
  if (route && routes.empty()) return no_route(session, what, *route);
  return routes;
}

/// The first retained row of the place; nullopt: there is none, as with kind now. Errors: refused, for a time
/// that is none.
Result<std::optional<std::int64_t>> first_row_of(Session& session, const char* what, const MarkPlace& from) {
  std::optional<std::int64_t> first;
  if (from.kind == MarkPlace::Kind::now) return first;
  const auto take = [&](const Row& row) {
    if (!row.null(0)) first = row.number(0);
    return false;
  };
  Result<std::int64_t> done = 0;
  if (from.kind == MarkPlace::Kind::time) {
    const auto time = parse_timestamp(from.time);
    if (!time)
      return session.error(Fault::refused, what,
                           "\"" + from.time + "\" is no time; write it as 2026-01-31T12:00:00Z");
    const std::string since = format_timestamp(*time);
    done = session.run(what, {&first_row_since, {since}}, take);
  } else {
    done = session.run(what, {&first_row, {from.kind == MarkPlace::Kind::seq ? from.seq : INT64_MIN}}, take);
  }
  if (!done) return done.error();
  return first;
}

Result<std::int64_t> rows_from(Session& session, const char* what, const std::string& route,
                               std::int64_t seq) {
  std::int64_t rows = 0;
  auto done = session.run(what, {&count_from, {route, seq}}, [&](const Row& row) {
    rows = row.number(0);
    return false;
  });
  if (!done) return done.error();
  return rows;
}

/// Takes the route's leases from whoever holds them. Rows that were held from `first` on come again by
/// themselves; those that no route took do not.
Result<void> put_marks(Session& session, const char* what, const std::string& route, const Position& position,
                       const std::optional<std::int64_t>& first) {
  auto moved =
      session.run(what, {&put_all, {route, position.mark.cursor, position.mark.seq, position.stamp}});
  if (!moved) return moved.error();
  if (auto done = marks_put_back(session, what); !done) return done;
  if (!first) return {};
  if (auto counted = session.run(what, {&count_replay, {route}}); !counted) return counted.error();
  auto gone = session.run(what, {&forget_from, {route, *first}});
  if (!gone) return gone.error();
  return order_all_keys(session, what, route);
}

Details details_of(const MarkPlace& from, const std::optional<std::int64_t>& first, std::int64_t rows) {
  Details details;
  details.add("from", std::string(name_of(from.kind)));
  if (from.kind == MarkPlace::Kind::time) details.add("time", from.time);
  if (first) details.add("seq", *first);
  details.add("rows", rows);
  return details;
}

Result<Matched> replay_in(Session& session, AdminLog& log, const std::string& route, const MarkPlace& from,
                          bool dry_run, const std::string& actor) {
  auto transaction = Transaction::begin(session, "replay", !dry_run);
  if (!transaction) return transaction.error();
  auto marks = dry_run ? load_marks(session, "replay", route) : lock_marks(session, "replay", route);
  if (!marks) return marks.error();
  if (marks->empty()) return no_route(session, "replay", route);
  auto wanted = first_row_of(session, "replay", from);
  if (!wanted) return wanted.error();
  if (!*wanted)
    return session.error(Fault::refused, "replay",
                         "no row is retained from that " + std::string(name_of(from.kind)) + " on");
  auto place = log.replay_place(route, **wanted);
  if (!place) return place.error();
  auto rows = rows_from(session, "replay", route, place->first);
  if (!rows) return rows.error();
  if (dry_run) return Matched{*rows, 0};
  if (auto put = put_marks(session, "replay", route, place->position, place->first); !put) return put.error();
  if (auto noted = audit(session, actor, "replay", route, details_of(from, place->first, *rows)); !noted)
    return noted.error();
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return Matched{*rows, *rows};
}

Result<Matched> rebase_in(Session& session, AdminLog& log, const std::optional<std::string>& route,
                          const MarkPlace& from, bool dry_run, const std::string& actor) {
  auto transaction = Transaction::begin(session, "rebase", !dry_run);
  if (!transaction) return transaction.error();
  auto routes = routes_of(session, "rebase", route);
  if (!routes) return routes.error();
  if (!dry_run)
    for (const std::string& each : *routes)
      if (auto locked = lock_marks(session, "rebase", each); !locked) return locked.error();
  auto first = first_row_of(session, "rebase", from);
  if (!first) return first.error();
  if (!*first && from.kind == MarkPlace::Kind::seq)
    return session.error(Fault::refused, "rebase",
                         "there is no row from seq " + std::to_string(from.seq) +
                             " on; to go on behind all rows write --from now");
  if (!dry_run)
    if (auto done = log.adopt_rows(route); !done) return done.error();
  auto position = *first ? log.before(**first) : log.now();
  if (!position) return position.error();
  Matched done;
  for (const std::string& each : *routes) {
    auto rows = *first ? rows_from(session, "rebase", each, **first) : Result<std::int64_t>(0);
    if (!rows) return rows.error();
    done.matched += *rows;
    if (dry_run) continue;
    if (auto put = put_marks(session, "rebase", each, *position, *first); !put) return put.error();
  }
  if (dry_run) return done;
  done.changed = done.matched;
  if (auto noted = audit(session, actor, "rebase", route, details_of(from, *first, done.matched)); !noted)
    return noted.error();
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return done;
}

bool lives(const MarkRow& mark, const std::vector<RouteShard>& idle) {
  const LeaseHolder& holder = mark.holder;
  return may_live(holder.owner) && std::ranges::none_of(idle, [&](const RouteShard& seen) {
           return seen.owner == holder.owner && seen.epoch == holder.epoch && seen.beat == holder.beat;
         });
}

Result<Matched> drop_in(Session& session, const std::string& route, const std::vector<RouteShard>& idle,
                        bool dry_run, const std::string& actor) {
  auto transaction = Transaction::begin(session, "drop", !dry_run);
  if (!transaction) return transaction.error();
  auto marks = dry_run ? load_marks(session, "drop", route) : lock_marks(session, "drop", route);
  if (!marks) return marks.error();
  if (marks->empty()) return no_route(session, "drop", route);
  for (const MarkRow& mark : *marks)
    if (lives(mark, idle))
      return session.error(Fault::refused, "drop",
                           "relay " + mark.holder.owner + " holds the lease of route " + route +
                               ": take the route out of its configuration first");
  Matched held;
  auto done = session.run("drop", {&count_held, {route}}, [&](const Row& row) {
    held.matched = row.number(0);
    return false;
  });
  if (!done) return done.error();
  if (dry_run) return held;
  for (const Statement* statement : {&drop_held, &note_unsent, &drop_marks})
    if (done = session.run("drop", {statement, {route}}); !done) return done.error();
  if (auto noted = audit(session, actor, "route_drop", route, Details().add("held", held.matched)); !noted)
    return noted.error();
  if (auto committed = transaction->commit(); !committed) return committed.error();
  held.changed = held.matched;
  return held;
}

}  // namespace

Result<Matched> SqlAdmin::drop_route(const std::string& route, const std::vector<RouteShard>& idle,
                                     bool dry_run, const std::string& actor) {
  return with_books([&](const Books& books) { return drop_in(*books.session, route, idle, dry_run, actor); });
}

Result<void> SqlAdmin::set_paused(const std::string& route, bool paused, const std::string& actor) {
  return with_books([&](const Books& books) -> Result<void> {
    Session& session = *books.session;
    const char* what = paused ? "pause" : "resume";
    auto transaction = Transaction::begin(session, what);
    if (!transaction) return transaction.error();
    auto marks = lock_marks(session, what, route);
    if (!marks) return marks.error();
    if (marks->empty()) return no_route(session, what, route);
    if (auto done = session.run(what, {&pause, {route, paused}}); !done) return done.error();
    if (auto noted = audit(session, actor, what, route, {}); !noted) return noted;
    return transaction->commit();
  });
}

Result<Matched> SqlAdmin::replay(const std::string& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) {
  return with_books([&](const Books& books) -> Result<Matched> {
    if (from.kind == MarkPlace::Kind::now)
      return books.session->error(
          Fault::refused, "replay",
          "nothing would be sent again from now on; name a seq, a time, or the oldest row");
    return replay_in(*books.session, *books.log, route, from, dry_run, actor);
  });
}

Result<Matched> SqlAdmin::rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) {
  return with_books(
      [&](const Books& books) { return rebase_in(*books.session, *books.log, route, from, dry_run, actor); });
}

Result<void> SqlAdmin::note(const std::string& action, const std::string& actor) {
  return with_books(
      [&](const Books& books) { return audit(*books.session, actor, action, std::nullopt, {}); });
}

}  // namespace outbox::sql
