#include "adapters/stores/sqlite/database.h"

#include <chrono>
#include <filesystem>
#include <system_error>

namespace outbox::sqlite {
namespace {

/// https://www.sqlite.org/rescode.html
Fault fault_of(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_ERROR:  // no such table, no such column
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
      return Fault::misconfigured;
    default:  // busy, disk full, input/output, cannot open, out of memory: may pass
      return Fault::unavailable;
  }
}

std::string advice_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another connection holds the lock, trying again";
    case SQLITE_FULL:
      return "; free some space, nothing was written";
    case SQLITE_NOTADB:
      return "; is it another program's file, or encrypted?";
    case SQLITE_CORRUPT:
      return "; run PRAGMA integrity_check";
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "; give the relay's user the right to write the file and its directory";
    default:
      return "";
  }
}

}  // namespace

Result<Connection> Connection::open(const std::string& path, Access access, Duration busy) {
  Connection connection;
  connection.path_ = path;
  connection.busy_ = busy;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  connection.handle_.reset(handle);
  if (code != SQLITE_OK) return connection.error_of(code, "open");
  sqlite3_busy_timeout(handle,
                       static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(busy).count()));
  return connection;
}

std::string Connection::file() const {
  const char* name = sqlite3_db_filename(handle(), "main");
  return name != nullptr && *name != '\0' ? name : path_;
}

bool Connection::has_moved() const {
  int moved = 0;
  return sqlite3_file_control(handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

Result<void> Connection::execute(const std::string& sql, std::string_view what) {
  const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(code, what);
  return {};
}

Result<void> Connection::use_wal(std::string_view what) {
  for (const auto until = std::chrono::steady_clock::now() + busy_;;) {
    const int code = sqlite3_exec(handle(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    if ((code & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() >= until)
      return error_of(code, what);
    // A transaction does wait, as long as open() was told, until everybody else is through.
    if (auto waited = execute("BEGIN EXCLUSIVE; COMMIT", what); !waited) return waited;
  }
}

Result<Statement> Connection::prepare(std::string_view sql, std::string_view what) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error_of(code, what);
  return Statement(statement);
}

Result<void> Connection::prepare_into(Statement& statement, std::string_view sql, std::string_view what) {
  auto prepared = prepare(sql, what);
  if (!prepared) return prepared.error();
  statement = std::move(*prepared);
  return {};
}

Result<std::optional<std::int64_t>> Connection::number(std::string_view sql, std::string_view what) {
  auto statement = prepare(sql, what);
  if (!statement) return statement.error();
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::optional<std::int64_t>();
  if (code != SQLITE_ROW) return error_of(code, what);
  if (statement->is_null(0)) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(statement->number(0));
}

Error Connection::error_of(int code, std::string_view what) const {
  // The connection's own text says more (which table), but only if it is about this very failure.
  const bool same = handle_ && sqlite3_extended_errcode(handle()) == code;
  std::string text =
      "sqlite." + std::string(what) + ": " + (same ? sqlite3_errmsg(handle()) : sqlite3_errstr(code));
  return {fault_of(code), text + " (" + path_ + ")" + advice_of(code)};
}

Statement& Statement::bind(int place, std::int64_t value) {
  sqlite3_bind_int64(handle(), place, value);
  return *this;
}

Statement& Statement::bind(int place, std::string_view value) {
  sqlite3_bind_text64(handle(), place, value.data() ? value.data() : "", value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int place, std::string_view value) {
  sqlite3_bind_blob64(handle(), place, value.data() ? value.data() : "", value.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_optional(int place, const std::optional<std::string>& value) {
  return value ? bind(place, std::string_view(*value)) : bind(place, nullptr);
}

Statement& Statement::bind(int place, std::nullptr_t) {
  sqlite3_bind_null(handle(), place);
  return *this;
}

int Statement::run() {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = step();
  reset();
  return code;
}

std::string_view Statement::text(int column) const {
  // The pointer first, the size after: the order that SQLite asks for, because the first call may convert.
  const void* data = sqlite3_column_type(handle(), column) == SQLITE_BLOB
                         ? sqlite3_column_blob(handle(), column)
                         : static_cast<const void*>(sqlite3_column_text(handle(), column));
  const int size = sqlite3_column_bytes(handle(), column);
  return data ? std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size))
              : std::string_view();
}

Result<Transaction> Transaction::begin(Connection& connection, std::string_view what) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE", what); !begun) return begun.error();
  return Transaction(connection);
}

Result<Transaction> Transaction::begin_reading(Connection& connection, std::string_view what) {
  if (auto begun = connection.execute("BEGIN DEFERRED", what); !begun) return begun.error();
  return Transaction(connection);
}

Transaction::~Transaction() {
  // SQLite has rolled back by itself after some failures; a second time does no harm.
  if (connection_) sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit(std::string_view what) {
  auto done = connection_->execute("COMMIT", what);
  if (done) connection_ = nullptr;
  return done;
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string quoted_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + "\"";
}

}  // namespace outbox::sqlite
