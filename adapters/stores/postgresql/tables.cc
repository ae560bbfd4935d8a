#include "adapters/stores/postgresql/tables.h"

#include <map>
#include <span>
#include <utility>

namespace outbox::postgresql {
namespace {

constexpr int server_version_min = 130000;
constexpr const char* migrate = "run: outboxd migrate up";

struct Column {
  const char* name;
  const char* type;
};
constexpr Column outbox_columns[] = {
    {"seq", "bigint"},
    {"id", "uuid"},
    {"topic", "text"},
    {"message_key", "text"},
    {"type", "text"},
    {"payload", "bytea"},
    {"data", "text"},
    {"content_type", "text"},
    {"headers", "jsonb"},
    {"deliver_at", "timestamp with time zone"},
    {"created_at", "timestamp with time zone"},
    {"tx", "xid8"},
};
constexpr Column mark_columns[] = {
    {"route", "text"},
    {"shard", "integer"},
    {"shards", "integer"},
    {"owner", "text"},
    {"epoch", "bigint"},
    {"beat", "bigint"},
    {"seen", "pg_snapshot"},
    {"upto", "pg_snapshot"},
    {"seq", "bigint"},
    {"system_identifier", "bigint"},
    {"paused", "boolean"},
    {"topics", "text[]"},
    {"held_version", "bigint"},
    {"replays", "integer"},
    {"replayed_to", "bigint"},
    {"saved_at", "timestamp with time zone"},
    {"retention_milliseconds", "bigint"},
};
constexpr Column progress_columns[] = {
    {"at", "timestamp with time zone"},
    {"place", "text"},
    {"seq", "bigint"},
};
constexpr Column held_columns[] = {
    {"route", "text"},
    {"seq", "bigint"},
    {"shard", "integer"},
    {"message_key", "text"},
    {"state", "text"},
    {"blocks", "boolean"},
    {"attempts", "integer"},
    {"next_attempt_at", "timestamp with time zone"},
    {"last_error", "text"},
    {"topic", "text"},
    {"held_at", "timestamp with time zone"},
    {"first_failed_at", "timestamp with time zone"},
    {"last_failed_at", "timestamp with time zone"},
};
constexpr Column relay_columns[] = {
    {"owner", "text"},
    {"beat", "bigint"},
    {"seen_at", "timestamp with time zone"},
};
constexpr Column audit_columns[] = {
    {"actor", "text"},
    {"action", "text"},
    {"route", "text"},
    {"details", "jsonb"},
};
// A text of limited length reads as text does.
bool reads_as(std::string_view type, std::string_view wanted) {
  return type == wanted || (wanted == "text" && type.starts_with("character varying"));
}

Result<void> check_columns(Connection& connection, const std::string& table, std::span<const Column> columns,
                           std::vector<Finding>& findings) {
  auto rows = connection.run("check",
                             "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                             "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
                             {table.c_str()});
  if (!rows) return rows.error();
  std::map<std::string, std::string, std::less<>> types;
  for (int row = 0; row < rows->count(); ++row) types.emplace(rows->string(row, 0), rows->string(row, 1));
  for (const Column& column : columns) {
    const auto found = types.find(column.name);
    if (found == types.end())
      findings.push_back(
          {Finding::Level::fault, "column " + shown(table) + "." + column.name + " is missing", migrate});
    else if (!reads_as(found->second, column.type))
      findings.push_back(
          {Finding::Level::fault,
           "column " + shown(table) + "." + column.name + " is " + found->second + ", must be " + column.type,
           "ALTER TABLE " + table + " ALTER COLUMN " + column.name + " TYPE " + column.type});
  }
  return {};
}

Result<void> check_grants(Connection& connection, const Tables& tables, const Server& server,
                          std::vector<Finding>& findings) {
  const std::pair<const std::string*, const char*> wanted[] = {
      {&tables.outbox, "SELECT"},   {&tables.mark, "SELECT"},     {&tables.mark, "INSERT"},
      {&tables.mark, "UPDATE"},     {&tables.held, "SELECT"},     {&tables.held, "INSERT"},
      {&tables.held, "UPDATE"},     {&tables.held, "DELETE"},     {&tables.mark, "DELETE"},
      {&tables.relay, "SELECT"},    {&tables.relay, "INSERT"},    {&tables.relay, "UPDATE"},
      {&tables.relay, "DELETE"},    {&tables.audit, "INSERT"},    {&tables.progress, "SELECT"},
      {&tables.progress, "INSERT"}, {&tables.progress, "DELETE"},
  };
  for (const auto& [table, right] : wanted) {
    auto rows =
        connection.run("check", "SELECT has_table_privilege($1::regclass, $2)", {table->c_str(), right});
    if (!rows) return rows.error();
    if (!rows->boolean(0, 0))
      findings.push_back(
          {Finding::Level::fault,
           "role " + server.user + " has no right to " + right + " on " + shown(*table),
           std::string("GRANT ") + right + " ON " + *table + " TO " + quoted_identifier(server.user)});
  }
  return {};
}

/// Hidden rows would be passed as if they were sent.
Result<void> check_row_security(Connection& connection, const Tables& tables, const Server& server,
                                std::vector<Finding>& findings) {
  for (const std::string* table :
       {&tables.outbox, &tables.mark, &tables.progress, &tables.held, &tables.relay}) {
    auto rows = connection.run("check",
                               "SELECT row_security_active($1::regclass), (SELECT string_agg(polname, ', ' "
                               "ORDER BY polname) FROM pg_policy WHERE polrelid = $1::regclass)",
                               {table->c_str()});
    if (!rows) return rows.error();
    if (!rows->boolean(0, 0)) continue;
    const std::string policies = rows->null(0, 1) ? "no policy lets it" : "policies: " + rows->string(0, 1);
    findings.push_back({Finding::Level::fault,
                        "row-level security of " + shown(*table) + " hides rows from role " + server.user +
                            " (" + policies + ")",
                        "ALTER ROLE " + quoted_identifier(server.user) + " BYPASSRLS, or ALTER TABLE " +
                            *table + " DISABLE ROW LEVEL SECURITY"});
  }
  return {};
}

Result<void> check_index(Connection& connection, const Tables& tables, std::vector<Finding>& findings) {
  // Without it every read walks the whole table.
  auto rows = connection.run(
      "check",
      "SELECT 1 FROM pg_index WHERE indrelid = $1::regclass AND indisvalid AND indpred IS NULL AND "
      "indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'tx')",
      {tables.outbox.c_str()});
  if (!rows) return rows.error();
  if (rows->count() == 0)
    findings.push_back({Finding::Level::fault, "table " + shown(tables.outbox) + " has no index on (tx, seq)",
                        "CREATE INDEX CONCURRENTLY ON " + tables.outbox + " (tx, seq)"});
  return {};
}

}  // namespace

std::string shown(std::string name) {
  std::erase(name, '"');
  return name;
}

TableName table_name(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return {"", std::string(text)};
  return {std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
}

Result<Server> describe_server(Connection& connection) {
  auto rows = connection.run("check",
                             "SELECT current_user, current_database(), pg_is_in_recovery(), "
                             "current_setting('transaction_read_only') = 'on', "
                             "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)");
  if (!rows) return rows.error();
  Server server;
  server.user = rows->string(0, 0);
  server.database = rows->string(0, 1);
  server.standby = rows->boolean(0, 2);
  server.read_only = rows->boolean(0, 3);
  server.superuser = rows->boolean(0, 4);
  return server;
}

std::vector<Finding> check_server(int version, const Server& server) {
  const std::string shown = std::to_string(version / 10000) + "." + std::to_string(version % 10000);
  std::vector<Finding> findings;
  if (version < server_version_min)
    findings.push_back({Finding::Level::fault,
                        "the server is PostgreSQL " + shown + ", which has no snapshots of 64 bits",
                        "use PostgreSQL 13 or later"});
  else
    findings.push_back({Finding::Level::ok, "PostgreSQL " + shown, ""});
  if (server.standby)
    findings.push_back({Finding::Level::fault,
                        "the server is a standby, from which the outbox must not be read",
                        "connect to the primary: add target_session_attrs=read-write to the URL"});
  else if (server.read_only)
    findings.push_back({Finding::Level::fault, "transactions are read-only here",
                        "ALTER ROLE " + quoted_identifier(server.user) +
                            " SET default_transaction_read_only = off, or connect to the "
                            "primary"});
  return findings;
}

Result<Tables> find_tables(Connection& connection, const TableName& name) {
  // Without a schema the first outbox of the search path counts, and its schema has the others.
  const std::string wanted = name.schema.empty()
                                 ? quoted_identifier(name.table)
                                 : quoted_identifier(name.schema) + "." + quoted_identifier(name.table);
  auto rows = connection.run(
      "check",
      "SELECT c.oid, n.nspname, (SELECT string_agg(name, ' ' ORDER BY place) FROM "
      "unnest(ARRAY['outbox_mark', "
      "'outbox_progress', 'outbox_held', 'outbox_relay', 'outbox_audit']) WITH ORDINALITY AS t (name, place) "
      "WHERE to_regclass(quote_ident(n.nspname) || '.' || name) IS NULL) "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
      {wanted.c_str()});
  if (!rows) return rows.error();
  const auto missing = [&](const std::string& table) {
    return Error{Fault::misconfigured, "postgresql.check: table " + table +
                                           " does not exist, or this role may not use its schema (" +
                                           connection.place() + "); " + migrate};
  };
  if (rows->count() == 0) return missing(wanted);
  const std::string schema = quoted_identifier(rows->text(0, 1)) + ".";
  if (!rows->null(0, 2)) return missing(schema + rows->string(0, 2).substr(0, rows->string(0, 2).find(' ')));
  Tables tables;
  tables.outbox = schema + quoted_identifier(name.table);
  tables.mark = schema + "outbox_mark";
  tables.progress = schema + "outbox_progress";
  tables.held = schema + "outbox_held";
  tables.relay = schema + "outbox_relay";
  tables.audit = schema + "outbox_audit";
  tables.status = schema + "outbox_status";
  tables.outbox_oid = rows->string(0, 0);
  return tables;
}

Result<std::vector<Finding>> check_tables(Connection& connection, const Tables& tables,
                                          const Server& server) {
  std::vector<Finding> findings;
  const std::pair<const std::string*, std::span<const Column>> shapes[] = {
      {&tables.outbox, outbox_columns}, {&tables.mark, mark_columns},   {&tables.progress, progress_columns},
      {&tables.held, held_columns},     {&tables.relay, relay_columns}, {&tables.audit, audit_columns}};
  for (const auto& [table, columns] : shapes)
    if (auto done = check_columns(connection, *table, columns, findings); !done) return done.error();
  if (auto done = check_index(connection, tables, findings); !done) return done.error();
  if (auto done = check_grants(connection, tables, server, findings); !done) return done.error();
  if (auto done = check_row_security(connection, tables, server, findings); !done) return done.error();
  return findings;
}

Result<void> first_fault(const std::vector<Finding>& findings, const Connection& connection) {
  for (const Finding& finding : findings)
    if (finding.level == Finding::Level::fault)
      return Error{Fault::misconfigured,
                   "postgresql.check: " + finding.what + " (" + connection.place() + "); " + finding.fix};
  return {};
}

}  // namespace outbox::postgresql
