#include "adapters/stores/postgresql/postgresql_operator.h"

#include <utility>

#include "adapters/stores/postgresql/array_text.h"
#include "adapters/stores/postgresql/audit.h"
#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/log_queries.h"
#include "base/encoding.h"

namespace outbox::postgresql {
namespace {

std::string seqs_array(pqxx::work& tx, const std::vector<std::int64_t>& seqs) {
  ArrayText array;
  for (const std::int64_t seq : seqs) array.add(seq);
  return tx.quote(array.take()) + "::bigint[]";
}

/// Conditions on `h`, a held row, and `o`, its row of the outbox.
std::string conditions(pqxx::work& tx, const HeldFilter& filter) {
  std::string sql = "true";
  if (filter.route) sql += " AND h.route = " + tx.quote(*filter.route);
  if (!filter.seqs.empty()) sql += " AND h.seq = ANY (" + seqs_array(tx, filter.seqs) + ")";
  if (filter.state) sql += " AND h.state = " + tx.quote(std::string(name_of(*filter.state)));
  if (filter.key) sql += " AND h.message_key = " + tx.quote(*filter.key);
  if (filter.topic) sql += " AND o.topic = " + tx.quote(*filter.topic);
  return sql;
}

std::string held_rows(const AdminSession& session) {
  return session.table("outbox_held") + " h LEFT JOIN " + session.outbox + " o ON o.seq = h.seq";
}

std::string text_of(const pqxx::field& field) {
  return field.is_null() ? std::string() : field.as<std::string>();
}

std::optional<std::string> optional_of(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(field.as<std::string>());
}

HeldEntry entry_of(const pqxx::row& row) {
  HeldEntry entry;
  entry.route = row[0].as<std::string>();
  entry.seq = row[1].as<std::int64_t>();
  entry.shard = row[2].as<int>();
  entry.id = text_of(row[3]);
  entry.topic = text_of(row[4]);
  entry.key = optional_of(row[5]);
  entry.state = held_state(row[6].as<std::string>());
  entry.attempts = row[7].as<int>();
  entry.next_attempt_at = text_of(row[8]);
  entry.last_error = text_of(row[9]);
  entry.held_at = text_of(row[10]);
  entry.first_failed_at = text_of(row[11]);
  entry.last_failed_at = text_of(row[12]);
  return entry;
}

/// The filter, as it goes into the audit.
std::string details_of(pqxx::work& tx, const HeldFilter& filter, const Matched& done) {
  const auto optional = [&](const std::optional<std::string>& value) {
    return value ? tx.quote(*value) : "NULL";
  };
  return "jsonb_strip_nulls(jsonb_build_object('seqs', " +
         (filter.seqs.empty() ? "NULL" : "to_jsonb(" + seqs_array(tx, filter.seqs) + ")") + ", 'state', " +
         (filter.state ? tx.quote(std::string(name_of(*filter.state))) : "NULL") + "::text, 'key', " +
         optional(filter.key) + "::text, 'topic', " + optional(filter.topic) + "::text, 'matched', " +
         std::to_string(done.matched) + ", 'changed', " + std::to_string(done.changed) + "))";
}

/// Changes the rows that `picked` names; which routes and keys they were of, with how many.
std::string change_statement(const AdminSession& session, HeldAction action, const std::string& picked) {
  const std::string held = session.table("outbox_held");
  const std::string these = " WHERE h.route = p.route AND h.seq = p.seq RETURNING h.route, h.message_key";
  const std::string change = action == HeldAction::discard
                                 ? "DELETE FROM " + held + " h USING picked p" + these
                                 // one that nobody waits for is due at once; the first of a key is so once it
                                 // is known to be the first
                                 : "UPDATE " + held +
                                       " h SET blocks = true, attempts = 0, state = CASE WHEN h.message_key "
                                       "IS NULL THEN 'retrying' ELSE "
                                       "'blocked' END, next_attempt_at = CASE WHEN h.message_key IS NULL "
                                       "THEN now() END FROM picked p" +
                                       these;
  return "WITH picked AS MATERIALIZED (" + picked + "), changed AS (" + change +
         ") SELECT route, message_key, count(*) FROM changed GROUP BY route, message_key";
}

/// Lets the keys go on, and tells running relays.
std::int64_t follow_up(pqxx::work& tx, const AdminSession& session, const pqxx::result& changed) {
  ArrayText routes, keys;
  std::int64_t rows = 0;
  for (const auto& row : changed) {
    rows += row[2].as<std::int64_t>();
    routes.add(row[0].as<std::string>());
    keys.add_optional(optional_of(row[1]));
  }
  const std::string routes_array = tx.quote(routes.take()) + "::text[]";
  tx.exec(promotion(session.table("outbox_held"), "(SELECT * FROM unnest(" + routes_array + ", " +
                                                      tx.quote(keys.take()) +
                                                      "::text[]) AS k (route, message_key))"));
  tx.exec("UPDATE " + session.table("outbox_mark") +
          " SET held_version = held_version + 1 WHERE route = ANY (" + routes_array + ")");
  return rows;
}

}  // namespace

PostgresqlOperator::PostgresqlOperator(ConnectionSettings settings, TableName table)
    : sessions_(std::make_unique<AdminSessions>(std::move(settings), std::move(table))) {}
PostgresqlOperator::~PostgresqlOperator() = default;

Result<std::vector<HeldEntry>> PostgresqlOperator::held(const HeldFilter& filter,
                                                        const std::optional<HeldPlace>& after,
                                                        std::size_t rows_max) {
  return sessions_->attempt("held", [&](AdminSession& session) -> Result<std::vector<HeldEntry>> {
    pqxx::work tx(session.connection);
    const std::string behind =
        after ? " AND (h.route, h.seq) > (" + tx.quote(after->route) + ", " + std::to_string(after->seq) + ")"
              : "";
    const pqxx::result rows =
        tx.exec("SELECT h.route, h.seq, h.shard, o.id, o.topic, h.message_key, h.state, h.attempts, " +
                rfc_3339("h.next_attempt_at") + ", h.last_error, " + rfc_3339("h.held_at") + ", " +
                rfc_3339("h.first_failed_at") + ", " + rfc_3339("h.last_failed_at") + " FROM " +
                held_rows(session) + " WHERE " + conditions(tx, filter) + behind +
                " ORDER BY h.route, h.seq LIMIT " + std::to_string(rows_max));
    std::vector<HeldEntry> entries;
    for (const auto& row : rows) entries.push_back(entry_of(row));
    return entries;
  });
}

Result<std::optional<MessageDetails>> PostgresqlOperator::message(const std::optional<std::string>& id,
                                                                  std::optional<std::int64_t> seq,
                                                                  bool with_payload) {
  return sessions_->attempt("message", [&](AdminSession& session) -> Result<std::optional<MessageDetails>> {
    pqxx::work tx(session.connection);
    const std::string which =
        seq ? "o.seq = " + std::to_string(*seq) : "o.id::text = lower(" + tx.quote(id.value_or("")) + ")";
    const pqxx::result rows =
        tx.exec("SELECT o.seq, o.id, o.topic, o.message_key, o.type, o.content_type, o.headers, " +
                rfc_3339("o.created_at") + ", " + rfc_3339("o.deliver_at") + ", octet_length(o.payload), " +
                (with_payload ? "encode(o.payload, 'hex')" : "NULL") + " FROM " + session.outbox +
                " o WHERE " + which + " ORDER BY o.seq LIMIT 1");
    if (rows.empty()) return std::optional<MessageDetails>();
    const auto row = rows[0];
    MessageDetails found;
    found.seq = row[0].as<std::int64_t>();
    found.id = row[1].as<std::string>();
    found.topic = row[2].as<std::string>();
    found.key = optional_of(row[3]);
    found.type = text_of(row[4]);
    found.content_type = text_of(row[5]);
    found.headers = text_of(row[6]);
    found.created_at = text_of(row[7]);
    found.deliver_at = text_of(row[8]);
    found.payload_bytes = row[9].is_null() ? 0 : row[9].as<std::int64_t>();
    found.payload = decode_hex(text_of(row[10])).value();
    for (const auto& state : tx.exec("SELECT route, state FROM " + session.table("outbox_status") +
                                     " WHERE seq = " + std::to_string(found.seq) + " ORDER BY route"))
      found.routes.emplace_back(state[0].as<std::string>(), state[1].as<std::string>());
    return std::optional(std::move(found));
  });
}

Result<Matched> PostgresqlOperator::change_held(HeldAction action, const HeldFilter& filter,
                                                std::int64_t rows_max, bool dry_run,
                                                const std::string& actor) {
  const bool requeue = action == HeldAction::requeue;
  return sessions_->attempt(requeue ? "requeue" : "discard", [&](AdminSession& session) -> Result<Matched> {
    pqxx::work tx(session.connection);
    if (!dry_run) lock_marks(tx, session, filter.route);
    const std::string these = held_rows(session) + " WHERE " + conditions(tx, filter);
    Matched done;
    done.matched = tx.exec("SELECT count(*) FROM " + these)[0][0].as<std::int64_t>();
    if (dry_run) return done;
    const pqxx::result changed =
        tx.exec(change_statement(session, action,
                                 "SELECT h.route, h.seq FROM " + these + " ORDER BY h.seq, h.route LIMIT " +
                                     std::to_string(rows_max)));
    done.changed = follow_up(tx, session, changed);
    record(tx, session, actor, requeue ? "requeue" : "discard", filter.route, details_of(tx, filter, done));
    tx.commit();
    return done;
  });
}

Result<void> PostgresqlOperator::set_paused(const std::string& route, bool paused, const std::string& actor) {
  return sessions_->attempt("pause", [&](AdminSession& session) -> Result<void> {
    pqxx::work tx(session.connection);
    if (lock_marks(tx, session, route) == 0)
      return Error{Fault::refused, "postgresql.pause: there is no route " + route + " in " +
                                       session.table("outbox_mark") +
                                       "; a route is there once a relay has run it"};
    tx.exec("UPDATE " + session.table("outbox_mark") + " SET paused = " + (paused ? "true" : "false") +
            " WHERE route = " + tx.quote(route));
    record(tx, session, actor, paused ? "pause" : "resume", route, "'{}'");
    tx.commit();
    return {};
  });
}

Result<void> PostgresqlOperator::note(const std::string& action, const std::string& actor) {
  return sessions_->attempt("note", [&](AdminSession& session) -> Result<void> {
    pqxx::work tx(session.connection);
    record(tx, session, actor, action.c_str(), std::nullopt, "'{}'");
    tx.commit();
    return {};
  });
}

}  // namespace outbox::postgresql
