// Where a route goes on: replay and rebase.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/postgresql/audit.h"
#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/log_queries.h"
#include "adapters/stores/postgresql/postgresql_operator.h"
#include "adapters/stores/postgresql/tables.h"
#include "base/timestamp.h"

namespace outbox::postgresql {
namespace {

const char* name_of(MarkPlace::Kind kind) {
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

Error refused(const char* what, const std::string& why) {
  return {Fault::refused, std::string("postgresql.") + what + ": " + why};
}

Error no_route(const char* what, const AdminSession& session, const std::string& route) {
  return refused(what, "there is no route " + route + " in " + shown(session.table("outbox_mark")) +
                           "; a route is there once a relay has run it");
}

std::optional<std::int64_t> number_of(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(field.as<std::int64_t>());
}

/// The first retained row of the place; nullopt: there is none, as with kind now. Errors: refused, for a time
/// that is none.
Result<std::optional<std::int64_t>> first_row(pqxx::work& tx, const AdminSession& session, const char* what,
                                              const MarkPlace& from) {
  std::string condition = "true";
  if (from.kind == MarkPlace::Kind::now) return std::optional<std::int64_t>();
  if (from.kind == MarkPlace::Kind::seq) condition = "seq >= " + std::to_string(from.seq);
  if (from.kind == MarkPlace::Kind::time) {
    const auto time = parse_timestamp(from.time);
    if (!time) return refused(what, "\"" + from.time + "\" is no time; write it as 2026-01-31T12:00:00Z");
    condition = "created_at >= " + tx.quote(format_timestamp(*time)) + "::timestamptz";
  }
  return number_of(tx.exec("SELECT min(seq) FROM " + session.outbox + " WHERE " + condition)[0][0]);
}

std::int64_t count_from(pqxx::work& tx, const AdminSession& session, const std::string& route,
                        std::int64_t seq) {
  return tx
      .exec("WITH m AS MATERIALIZED (" + marks_of(session.table("outbox_mark"), tx.quote(route)) +
            ") SELECT count(*) FROM " + session.outbox + " o WHERE o.seq >= " + std::to_string(seq) +
            " AND " + is_taken)[0][0]
      .as<std::int64_t>();
}

/// Puts all marks of the route where everything that the snapshot sees from the row on goes out, and what it
/// does not see as well, and takes the lease from whoever has it. Rows that were held behind the place come
/// again by themselves; those that no route took do not.
void put_marks(pqxx::work& tx, const AdminSession& session, const std::string& route,
               const std::string& snapshot, std::int64_t seq) {
  const std::string held = session.table("outbox_held"), name = tx.quote(route);
  tx.exec(
      "UPDATE " + session.table("outbox_mark") + " SET seen = '1:1:', upto = " + tx.quote(snapshot) +
      "::pg_snapshot, seq = " + std::to_string(seq - 1) +
      ", epoch = epoch + 1, owner = '', beat = beat + 1, held_version = held_version + 1, saved_at = now(), "
      "system_identifier = (SELECT system_identifier FROM pg_control_system()) WHERE route = " +
      name);
  tx.exec("DELETE FROM " + held + " h WHERE h.route = " + name + " AND h.seq >= " + std::to_string(seq) +
          " AND h.state <> 'unrouted' AND EXISTS (SELECT FROM " + session.outbox + " o WHERE o.seq = h.seq)");
  tx.exec(promotion(held, "(SELECT DISTINCT route, message_key FROM " + held + " WHERE route = " + name +
                              " AND blocks AND message_key IS NOT NULL)"));
}

void put_marks_now(pqxx::work& tx, const AdminSession& session, const std::string& route,
                   const std::string& snapshot) {
  tx.exec(
      "UPDATE " + session.table("outbox_mark") + " SET seen = " + tx.quote(snapshot) +
      "::pg_snapshot, upto = NULL, seq = 0, epoch = epoch + 1, owner = '', beat = beat + 1, held_version = "
      "held_version + 1, saved_at = now(), system_identifier = (SELECT system_identifier FROM "
      "pg_control_system()) WHERE route = " +
      tx.quote(route));
}

std::string details_of(pqxx::work& tx, const MarkPlace& from, std::optional<std::int64_t> first,
                       std::int64_t rows) {
  return "jsonb_strip_nulls(jsonb_build_object('from', " + tx.quote(std::string(name_of(from.kind))) +
         "::text, 'time', " + (from.kind == MarkPlace::Kind::time ? tx.quote(from.time) : "NULL") +
         "::text, 'seq', " + (first ? std::to_string(*first) : "NULL") + "::bigint, 'rows', " +
         std::to_string(rows) + "::bigint))";
}

bool of_other_cluster(pqxx::work& tx, const AdminSession& session, const std::optional<std::string>& route) {
  return tx
      .exec("SELECT EXISTS (SELECT FROM (SELECT * FROM " + session.table("outbox_mark") +
            where_route(tx, route) +
            ") m WHERE system_identifier <> (SELECT system_identifier FROM pg_control_system()))")[0][0]
      .as<bool>();
}

/// Rows of a restored dump hold transaction numbers of another cluster. Those that lie in this one's future
/// would be shown by no snapshot for a long time: they get number 3, the first that there is, which every
/// snapshot shows. All others are visible in every snapshot to come.
Result<void> date_back(pqxx::work& tx, const AdminSession& session) {
  const std::string future = " WHERE NOT pg_visible_in_snapshot(tx, pg_current_snapshot())";
  if (!tx.exec("SELECT EXISTS (SELECT FROM " + session.outbox + future + ")")[0][0].as<bool>()) return {};
  if (!tx.exec("SELECT has_column_privilege(" + tx.quote(session.outbox) + ", 'tx', 'UPDATE')")[0][0]
           .as<bool>())
    return Error{
        Fault::misconfigured,
        "postgresql.rebase: " + shown(session.outbox) +
            " has rows of another cluster's future transactions, which must be dated back, and this role "
            "may not; run as the table's owner, then rebase again: UPDATE " +
            session.outbox + " SET tx = '3'" + future};
  tx.exec("UPDATE " + session.outbox + " SET tx = '3'" + future);
  return {};
}

struct Unsettled {
  std::string snapshot;
  std::optional<std::int64_t> lowest;
};

/// The lowest row that the route has not settled, of any topic, with the snapshot in which there was no lower
/// one: in one statement, or a row that is committed in between would be passed unsent.
Unsettled unsettled(pqxx::work& tx, const AdminSession& session, const std::string& route) {
  tx.exec("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off");
  const pqxx::result rows =
      tx.exec("WITH m AS MATERIALIZED (" + marks_of(session.table("outbox_mark"), tx.quote(route)) +
              ") SELECT pg_current_snapshot()::text, (SELECT min(p.seq) FROM (" +
              pending_rows(session.outbox, "o.seq + 0 AS seq") + ") p)");
  return {rows[0][0].as<std::string>(), number_of(rows[0][1])};
}

std::vector<std::string> routes_of(pqxx::work& tx, const AdminSession& session,
                                   const std::optional<std::string>& route) {
  std::vector<std::string> routes;
  for (const auto& row : tx.exec("SELECT DISTINCT route FROM " + session.table("outbox_mark") +
                                 where_route(tx, route) + " ORDER BY route"))
    routes.push_back(row[0].as<std::string>());
  return routes;
}

}  // namespace

Result<Matched> PostgresqlOperator::replay(const std::string& route, const MarkPlace& from, bool dry_run,
                                           const std::string& actor) {
  if (from.kind == MarkPlace::Kind::now) return refused("replay", "nothing would be sent again from now on");
  return sessions_->attempt("replay", [&](AdminSession& session) -> Result<Matched> {
    pqxx::work tx(session.connection);
    if (routes_of(tx, session, route).empty()) return no_route("replay", session, route);
    if (!dry_run) lock_marks(tx, session, route);
    if (of_other_cluster(tx, session, route))
      return refused("replay", "the mark of route " + route + " " + other_cluster + "; " + rebase_fix);
    auto wanted = first_row(tx, session, "replay", from);
    if (!wanted) return wanted.error();
    if (!*wanted)
      return refused("replay", std::string("no row is retained from that ") + name_of(from.kind) + " on");
    const Unsettled rest = unsettled(tx, session, route);
    const std::int64_t first = std::min(**wanted, rest.lowest.value_or(**wanted));
    Matched done;
    done.matched = count_from(tx, session, route, first);
    if (dry_run) return done;
    put_marks(tx, session, route, rest.snapshot, first);
    done.changed = done.matched;
    record(tx, session, actor, "replay", route, details_of(tx, from, first, done.matched));
    tx.commit();
    return done;
  });
}

Result<Matched> PostgresqlOperator::rebase(const std::optional<std::string>& route, const MarkPlace& from,
                                           bool dry_run, const std::string& actor) {
  return sessions_->attempt("rebase", [&](AdminSession& session) -> Result<Matched> {
    pqxx::work tx(session.connection);
    if (!dry_run) lock_marks(tx, session, route);
    const std::vector<std::string> routes = routes_of(tx, session, route);
    if (route && routes.empty()) return no_route("rebase", session, *route);
    auto first = first_row(tx, session, "rebase", from);
    if (!first) return first.error();
    if (!dry_run && of_other_cluster(tx, session, route))
      if (auto dated = date_back(tx, session); !dated) return dated.error();
    const std::string snapshot = tx.exec("SELECT pg_current_snapshot()")[0][0].as<std::string>();
    Matched done;
    for (const std::string& each : routes) {
      if (*first) done.matched += count_from(tx, session, each, **first);
      if (dry_run) continue;
      *first ? put_marks(tx, session, each, snapshot, **first) : put_marks_now(tx, session, each, snapshot);
    }
    if (dry_run) return done;
    done.changed = done.matched;
    record(tx, session, actor, "rebase", route, details_of(tx, from, *first, done.matched));
    tx.commit();
    return done;
  });
}

}  // namespace outbox::postgresql
