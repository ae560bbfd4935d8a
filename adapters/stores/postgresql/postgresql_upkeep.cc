#include "adapters/stores/postgresql/postgresql_upkeep.h"

#include <chrono>
#include <utility>

#include "adapters/stores/postgresql/admin_session.h"
#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/log_queries.h"

namespace outbox::postgresql {
namespace {

// Statements on the log are pinned as the relay's own are: statistics lag behind a fast table.
constexpr const char* pinned =
    "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; SET LOCAL "
    "enable_hashjoin = "
    "off; SET LOCAL enable_mergejoin = off";

std::string microseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) +
         " * interval '1 microsecond'";
}

/// Since then, in microseconds.
std::string age_of(const std::string& time) {
  return "greatest(0, coalesce(extract(epoch FROM clock_timestamp() - " + time + "), 0) * 1000000)::bigint";
}

/// Looks at the rows of one chunk and removes what nobody waits for. Returns how many it looked at, the last
/// of them, how many every route has passed and that are old enough, and how many it removed.
std::string remove_statement(const AdminSession& session, const Retention& retention, std::int64_t after) {
  return "WITH m AS MATERIALIZED (SELECT seen FROM " + session.table("outbox_mark") +
         "), looked AS MATERIALIZED (SELECT o.seq, o.created_at < now() - " + microseconds(retention.sent) +
         " AND EXISTS (SELECT FROM m) AND NOT EXISTS (SELECT FROM m WHERE NOT pg_visible_in_snapshot(o.tx, "
         "m.seen)) "
         // a mark of another cluster tells nothing of what was sent
         "AND NOT EXISTS (SELECT FROM " +
         session.table("outbox_mark") +
         " k WHERE k.system_identifier <> (SELECT system_identifier FROM pg_control_system())) AS past "
         "FROM " +
         session.outbox + " o WHERE o.seq > " + std::to_string(after) + " ORDER BY o.seq LIMIT " +
         std::to_string(retention.rows_max) + "), gone AS (DELETE FROM " + session.outbox +
         " o USING looked l WHERE o.seq = l.seq AND l.past AND NOT EXISTS (SELECT FROM " +
         session.table("outbox_held") +
         " h WHERE h.seq = l.seq) RETURNING 1) SELECT count(*), max(seq), count(*) FILTER (WHERE past), "
         "(SELECT "
         "count(*) FROM gone) FROM looked";
}

/// Dead letters that nobody has decided about in time, except those that stop a key: how many.
std::size_t remove_dead(pqxx::work& tx, const AdminSession& session, const Retention& retention) {
  const std::string held = session.table("outbox_held");
  return tx
      .exec("DELETE FROM " + held + " WHERE (route, seq) IN (SELECT route, seq FROM " + held +
            " WHERE state = 'dead' AND NOT (blocks AND message_key IS NOT NULL) AND coalesce(last_failed_at, "
            "held_at) < now() - " +
            microseconds(*retention.dead) + " ORDER BY route, seq LIMIT " +
            std::to_string(retention.rows_max) + ")")
      .affected_rows();
}

}  // namespace

PostgresqlUpkeep::PostgresqlUpkeep(ConnectionSettings settings, TableName table)
    : sessions_(std::make_unique<AdminSessions>(std::move(settings), std::move(table))) {}
PostgresqlUpkeep::~PostgresqlUpkeep() = default;

Result<std::vector<RouteShard>> PostgresqlUpkeep::routes() {
  return sessions_->attempt("routes", [&](AdminSession& session) -> Result<std::vector<RouteShard>> {
    pqxx::work tx(session.connection);
    std::vector<RouteShard> routes;
    for (const auto& row : tx.exec("SELECT route, shard, owner, epoch, paused, held_version FROM " +
                                   session.table("outbox_mark") + " ORDER BY route, shard"))
      routes.push_back({row[0].as<std::string>(), row[1].as<int>(), row[2].as<std::string>(),
                        row[3].as<std::int64_t>(), row[4].as<bool>(), row[5].as<std::int64_t>()});
    return routes;
  });
}

Result<Backlog> PostgresqlUpkeep::backlog(const std::string& route) {
  return sessions_->attempt("backlog", [&](AdminSession& session) -> Result<Backlog> {
    pqxx::work tx(session.connection);
    tx.exec(pinned);
    const pqxx::result rows =
        tx.exec("WITH m AS MATERIALIZED (" + marks_of(session.table("outbox_mark"), tx.quote(route)) +
                ") SELECT count(*), " + age_of("min(o.created_at)") + " FROM (" +
                pending_rows(session.outbox, "o.created_at, o.topic") + ") o WHERE " + is_taken);
    return Backlog{rows[0][0].as<std::int64_t>(), std::chrono::microseconds(rows[0][1].as<std::int64_t>())};
  });
}

Result<std::map<HeldState, std::int64_t>> PostgresqlUpkeep::held(const std::string& route) {
  return sessions_->attempt("held", [&](AdminSession& session) -> Result<std::map<HeldState, std::int64_t>> {
    pqxx::work tx(session.connection);
    std::map<HeldState, std::int64_t> held;
    for (const auto& row : tx.exec("SELECT state, count(*) FROM " + session.table("outbox_held") +
                                   " WHERE route = " + tx.quote(route) + " GROUP BY state"))
      held[held_state(row[0].as<std::string>())] = row[1].as<std::int64_t>();
    return held;
  });
}

Result<std::vector<BlockedKey>> PostgresqlUpkeep::blocked_keys(const std::string& route,
                                                               std::size_t keys_max) {
  return sessions_->attempt("blocked", [&](AdminSession& session) -> Result<std::vector<BlockedKey>> {
    pqxx::work tx(session.connection);
    const std::string held = session.table("outbox_held");
    const pqxx::result rows =
        tx.exec("SELECT f.message_key, f.seq, o.id, f.state, f.attempts, coalesce(f.last_error, ''), " +
                age_of("f.held_at") +
                ", f.rows FROM (SELECT h.*, k.rows FROM (SELECT message_key, min(seq) AS seq, count(*) AS "
                "rows FROM " +
                held + " WHERE route = " + tx.quote(route) +
                " AND blocks AND message_key IS NOT NULL GROUP BY message_key) k JOIN " + held +
                " h ON h.route = " + tx.quote(route) + " AND h.seq = k.seq ORDER BY h.held_at, h.seq LIMIT " +
                std::to_string(keys_max) + ") f LEFT JOIN " + session.outbox +
                " o ON o.seq = f.seq ORDER BY f.held_at, f.seq");
    std::vector<BlockedKey> keys;
    for (const auto& row : rows)
      keys.push_back({row[0].as<std::string>(), row[1].as<std::int64_t>(),
                      row[2].is_null() ? std::string() : row[2].as<std::string>(),
                      held_state(row[3].as<std::string>()), row[4].as<int>(), row[5].as<std::string>(),
                      std::chrono::microseconds(row[6].as<std::int64_t>()), row[7].as<std::int64_t>()});
    return keys;
  });
}

Result<Removed> PostgresqlUpkeep::remove_sent(const Retention& retention) {
  return sessions_->attempt("retention", [&](AdminSession& session) -> Result<Removed> {
    pqxx::work tx(session.connection);
    tx.exec("SET LOCAL lock_timeout = '1s'");
    const std::size_t rows_max = retention.rows_max;
    if (removed_up_to_ == 0 && retention.dead && remove_dead(tx, session, retention) == rows_max) {
      tx.commit();  // the same once more, before the rows themselves
      return Removed{0, true};
    }
    tx.exec(pinned);
    const pqxx::result chunk = tx.exec(remove_statement(session, retention, removed_up_to_));
    tx.commit();
    const auto looked = chunk[0][0].as<std::size_t>(), past = chunk[0][2].as<std::size_t>();
    // Where a whole chunk is too young or not sent, so is what follows: a backlog is not walked through.
    const bool more = looked == rows_max && past > 0;
    removed_up_to_ = more ? chunk[0][1].as<std::int64_t>() : 0;
    return Removed{chunk[0][3].as<std::size_t>(), more};
  });
}

Result<std::vector<RelayMember>> PostgresqlUpkeep::join(const std::string& owner) {
  return sessions_->attempt("join", [&](AdminSession& session) -> Result<std::vector<RelayMember>> {
    pqxx::work tx(session.connection);
    const std::string relay = session.table("outbox_relay");
    tx.exec("INSERT INTO " + relay + " AS r (owner) VALUES (" + tx.quote(owner) +
            ") ON CONFLICT (owner) DO UPDATE SET beat = r.beat + 1, seen_at = now()");
    tx.exec("DELETE FROM " + relay + " WHERE seen_at < now() - interval '1 day'");
    std::vector<RelayMember> members;
    for (const auto& row : tx.exec("SELECT owner, beat FROM " + relay + " ORDER BY owner"))
      members.push_back({row[0].as<std::string>(), row[1].as<std::int64_t>()});
    tx.commit();
    return members;
  });
}

Result<void> PostgresqlUpkeep::leave(const std::string& owner) {
  return sessions_->attempt("leave", [&](AdminSession& session) -> Result<void> {
    pqxx::work tx(session.connection);
    tx.exec("DELETE FROM " + session.table("outbox_relay") + " WHERE owner = " + tx.quote(owner));
    tx.commit();
    return {};
  });
}

}  // namespace outbox::postgresql
