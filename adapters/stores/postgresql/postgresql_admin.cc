#include "adapters/stores/postgresql/postgresql_admin.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/stores/postgresql/admin_session.h"
#include "adapters/stores/postgresql/undated_rows.h"
#include "base/encoding.h"

namespace outbox::postgresql {
namespace {

// Rows per transaction of send_many(): well within the statement's time limit.
constexpr std::int64_t many_rows_max = 100'000;

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  append_hex(text, bytes);
  return text;
}

std::string optional_text(pqxx::work& tx, const std::optional<std::string>& value) {
  return value ? tx.quote(*value) : "NULL";
}

std::string headers_expression(pqxx::work& tx, const NewRow& row) {
  std::string names, values;
  for (const auto& [name, value] : row.headers) {
    names += (names.empty() ? "" : ", ") + tx.quote(name);
    values += (values.empty() ? "" : ", ") + tx.quote(value);
  }
  return "jsonb_object(ARRAY[" + names + "]::text[], ARRAY[" + values + "]::text[])";
}

// As the relay's own are, plans are pinned: statistics lag behind a fast table, and joins by hash or merge
// walk through all of it.
constexpr const char* session_settings =
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; SET row_security = off;"
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;"
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET "
    "max_parallel_workers_per_gather = 0;"
    "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = "
    "'60s'";
constexpr std::chrono::seconds answer_deadline{75};

// $1 the outbox, $2 to $4 mark, held rows and view, which need not be there. What follows has a column each.
constexpr const char* questions =
    "SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = "
    "$1::regclass AND p.proname = 'outbox_notify' AND t.tgenabled <> 'D'), "
    "2 = (SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = "
    "$1::regclass AND p.proname = 'outbox_stamp' AND t.tgenabled = 'A'), "
    "has_table_privilege($1::regclass, 'DELETE'), "
    "coalesce(has_table_privilege(to_regclass($4), 'SELECT'), false), "
    "(SELECT string_agg(oid::regclass::text, ', ' ORDER BY relname) FROM pg_class WHERE relpersistence = 'u' "
    "AND oid = ANY "
    "(ARRAY[$1::regclass, to_regclass($2), to_regclass($3)])), "
    "current_setting('max_prepared_transactions') <> '0' AND current_setting('outbox.two_phase', true) IS "
    "DISTINCT FROM 'off'";

/// What keeps a good installation from being a safe or fast one. The relay runs all the same.
Result<void> add_warnings(Connection& connection, const Tables& tables, const Server& server,
                          std::vector<Finding>& findings) {
  auto rows = connection.run(
      "check", questions,
      {tables.outbox.c_str(), tables.mark.c_str(), tables.held.c_str(), tables.status.c_str()});
  if (!rows) return rows.error();
  const auto warn = [&](bool applies, std::string what, std::string fix) {
    if (applies) findings.push_back({Finding::Level::warning, std::move(what), std::move(fix)});
  };
  const std::string outbox = shown(tables.outbox), role = quoted_identifier(server.user);
  warn(!rows->boolean(0, 0),
       "table " + outbox + " has no enabled trigger outbox_wakeup: messages wait for a poll",
       "CREATE TRIGGER outbox_wakeup AFTER INSERT ON " + tables.outbox +
           " FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify()");
  warn(!rows->boolean(0, 1),
       "table " + outbox +
           " has no triggers outbox_stamp and outbox_keep_tx that are always enabled: rows that come by "
           "replication or get a tx of their own are sent late, twice or never",
       "outboxd migrate print has them; ALTER TABLE " + tables.outbox +
           " ENABLE ALWAYS TRIGGER outbox_stamp, ENABLE ALWAYS TRIGGER outbox_keep_tx");
  warn(!rows->boolean(0, 2),
       "role " + server.user + " may not DELETE from " + outbox + ": retention cannot remove sent rows",
       "GRANT DELETE ON " + tables.outbox + " TO " + role);
  warn(!rows->boolean(0, 3),
       "view " + shown(tables.status) + " is missing, or role " + server.user +
           " may not read it: the states of single messages cannot be shown",
       "outboxd migrate print has the view; GRANT SELECT ON " + tables.status + " TO " + role);
  warn(!rows->null(0, 4),
       "unlogged: " + rows->string(0, 4) + "; a crash of the server empties what is unlogged",
       "ALTER TABLE ... SET LOGGED");
  warn(rows->boolean(0, 5),
       "transactions can be prepared here (max_prepared_transactions), so commits wake no relay: messages "
       "wait for "
       "a poll of up to 100 ms",
       "if no service of this database prepares any: ALTER DATABASE " + quoted_identifier(server.database) +
           " SET outbox.two_phase = 'off'");
  const std::string& encoding = connection.encoding();
  warn(encoding != "UTF8",
       "the database's encoding is " + encoding +
           (encoding == "SQL_ASCII" ? ", under which texts may be any bytes: a row with one that is no UTF-8"
                                    : ": a row with a text that cannot be converted to UTF-8") +
           " becomes a dead letter",
       "move to a database made with ENCODING 'UTF8' TEMPLATE template0");
  warn(server.superuser, "role " + server.user + " is a superuser, which the relay does not need",
       "use a role of its own with the rights in schema/postgresql/grants.sql");
  warn(connection.pooled(), "there is a connection pooler in between: new rows are found by polling",
       "connect to the server itself");
  return {};
}

/// Rows that no snapshot shows before its time.
Result<void> add_undated(Connection& connection, const Tables& tables, std::vector<Finding>& findings) {
  auto undated = connection.run(
      "check", "SELECT count(*), min(seq) FROM " + tables.outbox + " WHERE " + std::string(is_undated));
  if (!undated) return undated.error();
  if (undated->integer(0, 0) == 0) return {};
  findings.push_back(
      {Finding::Level::warning,
       undated->string(0, 0) + " rows of " + shown(tables.outbox) +
           " have a tx that no transaction of this server has had, the "
           "first is seq " +
           undated->string(0, 1) + ": they are held as dead and not sent",
       "outboxd held requeue --seq N; or, as the table's owner, for all of them: " + dating_of(tables)});
  return {};
}

}  // namespace

PostgresqlAdmin::PostgresqlAdmin(ConnectionSettings settings, TableName table)
    : sessions_(std::make_unique<AdminSessions>(std::move(settings), std::move(table))) {}
PostgresqlAdmin::~PostgresqlAdmin() = default;

Result<sql::Books> PostgresqlAdmin::open(bool) {
  // One that the server has hung up since is noticed here, before anything is begun on it.
  if (open_ && !open_->connection->consume()) open_.reset();
  if (!open_) {
    auto opened = connect();
    if (!opened) return opened.error();
    open_.emplace(std::move(*opened));
  }
  return sql::Books{open_->session.get(), &open_->log};
}

void PostgresqlAdmin::close(bool failed) noexcept {
  if (failed) open_.reset();
}

Result<PostgresqlAdmin::Open> PostgresqlAdmin::connect() const {
  auto connection = Connection::open(sessions_->settings(), answer_deadline);
  if (!connection) return connection.error();
  if (auto set = (*connection)->run("connect", session_settings); !set) return set.error();
  auto tables = find_tables(**connection, sessions_->table());
  if (!tables) return tables.error();
  auto session = std::make_unique<PostgresqlSession>(**connection, std::move(*tables));
  auto log = PostgresqlLog::create(*session);
  if (!log) return log.error();
  return Open{std::move(*connection), std::move(session), std::move(*log)};
}

Result<std::vector<Finding>> PostgresqlAdmin::check() {
  auto connection = Connection::open(sessions_->settings());
  if (!connection) return connection.error();
  auto server = describe_server(**connection);
  if (!server) return server.error();
  std::vector<Finding> findings = check_server((*connection)->server_version(), *server);

  auto tables = find_tables(**connection, sessions_->table());
  if (!tables) {
    if (tables.error().fault != Fault::misconfigured) return tables.error();
    findings.push_back({Finding::Level::fault, tables.error().text, "run: outboxd migrate up"});
    return findings;
  }
  auto table_findings = check_tables(**connection, *tables, *server);
  if (!table_findings) return table_findings.error();
  if (table_findings->empty())
    findings.push_back({Finding::Level::ok,
                        "table " + shown(tables->outbox) + ": columns, index and rights are in order", ""});
  findings.insert(findings.end(), table_findings->begin(), table_findings->end());
  const bool readable = std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.level == Finding::Level::fault; });
  if (readable) {
    PostgresqlSession session(**connection, *tables);
    if (auto done = add_other_cluster(session, findings); !done) return done.error();
    if (auto done = add_undated(**connection, *tables, findings); !done) return done.error();
  }
  if (auto done = add_warnings(**connection, *tables, *server, findings); !done) return done.error();
  return findings;
}

Result<std::string> PostgresqlAdmin::send(const NewRow& row) {
  return sessions_->attempt("send", [&](AdminSession& session) -> Result<std::string> {
    pqxx::work tx(session.connection);
    // RETURNING would need SELECT; a role that may only INSERT can send as well
    const std::string id =
        row.id ? *row.id : tx.exec("SELECT gen_random_uuid()::text")[0][0].as<std::string>();
    tx.exec("INSERT INTO " + session.outbox +
            " (id, topic, message_key, type, payload, content_type, headers, deliver_at) VALUES (" +
            tx.quote(id) + "::uuid, " + tx.quote(row.topic) + ", " + optional_text(tx, row.key) + ", " +
            optional_text(tx, row.type) + ", decode('" + hexadecimal(row.payload) + "', 'hex'), " +
            tx.quote(row.content_type) + ", " + headers_expression(tx, row) + ", " +
            optional_text(tx, row.deliver_at) + "::timestamptz)");
    tx.commit();
    return id;
  });
}

Result<void> PostgresqlAdmin::send_many(const NewRow& row, std::int64_t count, std::int64_t keys) {
  return sessions_->attempt("send", [&](AdminSession& session) -> Result<void> {
    for (std::int64_t done = 0; done < count; done += many_rows_max) {
      const std::int64_t last = std::min(count, done + many_rows_max) - 1;
      pqxx::work tx(session.connection);
      const std::string key =
          keys > 0 ? "'key-' || (n % " + std::to_string(keys) + ")" : optional_text(tx, row.key);
      tx.exec("INSERT INTO " + session.outbox +
              " (topic, message_key, type, payload, content_type, headers, deliver_at) SELECT " +
              tx.quote(row.topic) + ", " + key + ", " + optional_text(tx, row.type) + ", decode('" +
              hexadecimal(row.payload) + "', 'hex'), " + tx.quote(row.content_type) + ", " +
              headers_expression(tx, row) + ", " + optional_text(tx, row.deliver_at) +
              "::timestamptz FROM generate_series(" + std::to_string(done) + ", " + std::to_string(last) +
              ") n");
      tx.commit();
    }
    return {};
  });
}

}  // namespace outbox::postgresql
