#include "adapters/stores/sqlite/sqlite_admin.h"

#include <algorithm>
#include <set>
#include <utility>

#include "adapters/stores/sqlite/state_file.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace outbox {
namespace {

using sqlite::Connection;

// Rows per transaction of send_many(): the WAL stays small, and other writers get their turn.
constexpr std::int64_t many_rows_max = 100'000;

// Milliseconds: people and scripts wait rather than fail.
constexpr int patience = 5000;

Error refused(std::string text) {
  return {Fault::refused, "sqlite.send: " + std::move(text)};
}

/// {"name":"value", ...} as the database's own JSON writes it.
Result<std::string> headers_json(Connection& connection, const NewRow& row) {
  std::set<std::string_view> names;
  std::string sql = "SELECT json_object(";
  for (std::size_t i = 0; i < row.headers.size(); ++i) {
    if (!names.insert(row.headers[i].first).second)
      return refused("header " + row.headers[i].first + " is given twice");
    sql += i == 0 ? "?,?" : ",?,?";
  }
  auto statement = connection.prepare(sql + ")", "send");
  if (!statement) return statement.error();
  int place = 0;
  for (const auto& [name, value] : row.headers) {
    statement->bind(++place, name);
    statement->bind(++place, value);
  }
  const int code = statement->step();
  if (code != SQLITE_ROW) return connection.error_of(code, "send");
  return statement->string(0);
}

}  // namespace

Result<std::unique_ptr<Admin>> SqliteAdmin::create(const StoreTarget& target) {
  auto parsed = sqlite::parse_target(target);
  if (!parsed) return parsed.error();
  return std::unique_ptr<Admin>(new SqliteAdmin(sqlite::Files(std::move(*parsed))));
}

/// Of a route that has never run nothing is known, and that is not written down.
Result<sql::Books> SqliteAdmin::open(bool makes) {
  auto database = files_.to_read();
  if (!database) return database.error();
  const std::string file = database->file();
  const bool has_state = makes || sqlite::file_exists(sqlite::state_path_of(file));
  auto state = has_state ? sqlite::open_state(file, makes ? sqlite::Access::create : sqlite::Access::existing)
                         : sqlite::open_empty_state();
  if (!state) return state.error();
  // A reader that closes last must not take the lock that a checkpoint needs.
  sqlite3_db_config(state->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_busy_timeout(state->handle(), patience);
  auto attach = state->prepare("ATTACH ?1 AS service", "open");
  if (!attach) return attach.error();
  if (const int code = attach->bind(1, file).run(); code != SQLITE_DONE) return state->error_of(code, "open");
  attach = sqlite::Statement();
  auto session = sqlite::SqliteSession::create(
      std::move(*state), sqlite::books_tables("service." + sqlite::quoted_name(files_.table())));
  if (!session) return session.error();
  session_ = std::move(*session);
  log_.emplace(*session_, files_);
  return sql::Books{session_.get(), &*log_};
}

void SqliteAdmin::close(bool) noexcept {
  log_.reset();
  session_.reset();
}

Result<std::string> SqliteAdmin::send(const NewRow& row) {
  std::optional<std::string> id, deliver_at;
  if (row.id && !(id = canonical_uuid(*row.id)))
    return refused("id is no UUID; it must look like 01234567-89ab-cdef-0123-456789abcdef");
  if (row.deliver_at) {
    const auto time = parse_timestamp(*row.deliver_at);
    if (!time) return refused("deliver_at is no date; it must look like 2026-01-31T12:00:00Z");
    deliver_at = format_timestamp(*time);
  }
  auto connection = files_.to_write();
  if (!connection) return connection.error();
  auto headers = headers_json(*connection, row);
  if (!headers) return headers.error();

  // A column that is left out takes the table's own default.
  const std::string sql =
      "INSERT INTO " + files_.rows() +
      " (topic, message_key, type, payload, content_type, headers, deliver_at" +
      (id ? ", id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" : ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") +
      " RETURNING id";
  auto statement = connection->prepare(sql, "send");
  if (!statement) return statement.error();
  statement->bind(1, row.topic)
      .bind_optional(2, row.key)
      .bind_optional(3, row.type)
      .bind_blob(4, row.payload);
  statement->bind(5, row.content_type).bind(6, *headers).bind_optional(7, deliver_at);
  if (id) statement->bind(8, *id);
  const int code = statement->step();
  if (code != SQLITE_ROW) return connection->error_of(code, "send");
  std::string drawn = statement->string(0);
  // The row is committed when the statement has come to its end.
  if (const int end = statement->step(); end != SQLITE_DONE) return connection->error_of(end, "send");
  return drawn;
}

Result<void> SqliteAdmin::send_many(const NewRow& row, std::int64_t count, std::int64_t keys) {
  std::optional<std::string> deliver_at;
  if (row.deliver_at) {
    const auto time = parse_timestamp(*row.deliver_at);
    if (!time) return refused("deliver_at is no date; it must look like 2026-01-31T12:00:00Z");
    deliver_at = format_timestamp(*time);
  }
  auto connection = files_.to_write();
  if (!connection) return connection.error();
  auto headers = headers_json(*connection, row);
  if (!headers) return headers.error();
  auto statement = connection->prepare(
      "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) INSERT INTO " +
          files_.rows() +
          " (topic, message_key, type, payload, content_type, headers, deliver_at) "
          "SELECT ?3, CASE WHEN ?4 > 0 THEN 'key-' || (i % ?4) ELSE ?5 END, ?6, ?7, ?8, ?9, ?10 FROM n",
      "send");
  if (!statement) return statement.error();
  statement->bind(3, row.topic).bind(4, keys).bind_optional(5, row.key).bind_optional(6, row.type);
  statement->bind_blob(7, row.payload).bind(8, row.content_type).bind(9, *headers);
  statement->bind_optional(10, deliver_at);
  for (std::int64_t done = 0; done < count; done += many_rows_max) {
    statement->bind(1, done).bind(2, std::min(count, done + many_rows_max) - 1);
    if (const int code = statement->run(); code != SQLITE_DONE) return connection->error_of(code, "send");
  }
  return {};
}

}  // namespace outbox
