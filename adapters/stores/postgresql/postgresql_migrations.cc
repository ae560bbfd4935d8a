#include <algorithm>
#include <string>

#include "adapters/stores/postgresql/admin_session.h"
#include "adapters/stores/postgresql/postgresql_admin.h"

namespace outbox::postgresql {
namespace {

// Held until the transaction ends, so that processes that start together migrate one after another.
constexpr const char* migration_lock = "SELECT pg_advisory_xact_lock(1869968482, 0)";

/// By a query and not by to_regclass: that may remember a "not found" from before another process, for which
/// we have waited, made the table.
bool exists(pqxx::work& tx, const std::string& table) {
  return tx
      .exec(
          "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
          "format('%I.%I', n.nspname, c.relname) = format('%I.%I', VARIADIC parse_ident(" +
          tx.quote(table) + ")))")[0][0]
      .as<bool>();
}

/// Everything without a schema is made in the outbox's, and functions remember it as their search_path.
void enter_schema(pqxx::work& tx, const std::string& schema) {
  tx.exec("SET LOCAL search_path = " + schema);
}

/// Whether a row would be lost that some route has still to publish, or that nobody has looked at yet.
std::string unsent_statement(const std::string& outbox, const std::string& schema) {
  sql::Tables tables;
  tables.outbox = outbox;
  tables.mark = schema + ".outbox_mark";
  tables.status = schema + ".outbox_status";
  return PostgresqlDialect(tables).text_of(
      "SELECT EXISTS (SELECT FROM {status} WHERE state <> 'sent') OR EXISTS (SELECT FROM {outbox} o WHERE "
      "NOT "
      "EXISTS (SELECT FROM {mark}) OR EXISTS (SELECT FROM {mark} k WHERE NOT {passed k o}))");
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

}  // namespace

std::string renamed(std::string_view sql, std::string_view table) {
  constexpr std::string_view canonical = "outbox";
  if (table == canonical) return std::string(sql);
  std::string text;
  for (std::size_t at = 0; at < sql.size();) {
    if (sql[at] == '\'' || sql[at] == '"') {  // a literal or a quoted name: as it is
      const std::size_t end = std::min(sql.find(sql[at], at + 1), sql.size() - 1);
      text += sql.substr(at, end + 1 - at);
      at = end + 1;
    } else if (sql.substr(at, 2) == "--") {  // a comment may hold a lone quote
      const std::size_t end = std::min(sql.find('\n', at), sql.size());
      text += sql.substr(at, end - at);
      at = end;
    } else if (is_word(sql[at])) {
      std::size_t end = at;
      while (end < sql.size() && is_word(sql[end])) ++end;
      const std::string_view word = sql.substr(at, end - at);
      text += word == canonical ? quoted_identifier(table) : std::string(word);
      at = end;
    } else {
      text += sql[at++];
    }
  }
  return text;
}

Result<std::vector<AppliedMigration>> PostgresqlAdmin::migrations() {
  return sessions_->attempt("migrate", [&](AdminSession& session) -> Result<std::vector<AppliedMigration>> {
    pqxx::work tx(session.connection);
    std::vector<AppliedMigration> applied;
    const std::string record = session.table("outbox_migration");
    if (!exists(tx, record)) return applied;
    const pqxx::result rows = tx.exec(
        "SELECT version, name, checksum, to_char(applied_at AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM " +
        record + " ORDER BY version");
    for (const auto& row : rows)
      applied.push_back(
          {row[0].as<int>(), row[1].as<std::string>(), row[2].as<std::string>(), row[3].as<std::string>()});
    return applied;
  });
}

Result<bool> PostgresqlAdmin::apply(const Migration& migration) {
  return sessions_->attempt("migrate", [&](AdminSession& session) -> Result<bool> {
    pqxx::work tx(session.connection);
    tx.exec("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '60s'");
    if (tx.exec("SELECT to_regnamespace(" + tx.quote(session.schema) + ")")[0][0].is_null())
      return Error{Fault::misconfigured,
                   "postgresql.migrate: schema " + session.schema +
                       " does not exist, or this role may not use it; run: CREATE SCHEMA " + session.schema};
    tx.exec(migration_lock);
    enter_schema(tx, session.schema);
    const std::string record = session.table("outbox_migration");
    if (!exists(tx, record))
      tx.exec("CREATE TABLE " + record +
              " (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
              "applied_at timestamptz NOT NULL DEFAULT now())");
    const std::string version = std::to_string(migration.version);
    if (!tx.exec("SELECT 1 FROM " + record + " WHERE version = " + version).empty()) return false;
    tx.exec(renamed(migration.up, sessions_->table().table));
    tx.exec("INSERT INTO " + record + " (version, name, checksum) VALUES (" + version + ", " +
            tx.quote(migration.name) + ", " + tx.quote(migration.checksum) + ")");
    tx.commit();
    return true;
  });
}

Result<void> PostgresqlAdmin::revert(const Migration& migration, bool force) {
  return sessions_->attempt("migrate", [&](AdminSession& session) -> Result<void> {
    pqxx::work tx(session.connection);
    tx.exec(migration_lock);
    enter_schema(tx, session.schema);
    const bool drops_rows = migration.down.find("DROP TABLE") != std::string::npos;
    if (drops_rows && !force && exists(tx, session.outbox)) {
      // nothing may be committed between the question and the answer's use
      tx.exec("LOCK TABLE " + session.outbox + " IN ACCESS EXCLUSIVE MODE");
      if (tx.exec(unsent_statement(session.outbox, session.schema))[0][0].as<bool>())
        return Error{Fault::refused,
                     "postgresql.migrate: " + session.outbox +
                         " has rows that are not sent; let a relay send them first (outboxd run --once), or "
                         "drop them with --force"};
    }
    tx.exec(renamed(migration.down, sessions_->table().table));
    const std::string record = session.table("outbox_migration");
    if (exists(tx, record))
      tx.exec("DELETE FROM " + record + " WHERE version = " + std::to_string(migration.version));
    tx.commit();
    return {};
  });
}

}  // namespace outbox::postgresql
