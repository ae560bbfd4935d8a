// A thin, exception-free dress over SQLite's C interface: connection, statement, transaction, error texts.
// Each object belongs to the thread that made it (connections are opened without mutexes).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/message.h"

namespace outbox::sqlite {

class Statement;

enum class Access {
  existing,  ///< must be there; read-only where the file's rights allow no more
  create,    ///< made when missing
};

class Connection {
 public:
  Connection() = default;

  /// `path` is absolute. `busy` is how long a call waits for another connection's lock.
  /// Errors: as error_of().
  static Result<Connection> open(const std::string& path, Access access, Duration busy);

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  void close() { handle_.reset(); }
  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

  /// The file as the operating system knows it: symbolic links resolved.
  [[nodiscard]] std::string file() const;

  /// The file was renamed, removed or replaced while this connection had it open.
  [[nodiscard]] bool has_moved() const;

  /// One statement or several. Errors: as error_of(); `what` names the deed.
  Result<void> execute(const std::string& sql, std::string_view what);

  /// Puts the file into WAL mode, which is stored in it. Tries for as long as open() was told to wait: of
  /// several who do it at once SQLite turns some away without waiting. Errors: as error_of().
  Result<void> use_wal(std::string_view what);

  Result<Statement> prepare(std::string_view sql, std::string_view what);
  Result<void> prepare_into(Statement& statement, std::string_view sql, std::string_view what);

  /// The first column of the first row; nullopt when there is no row or it is NULL.
  Result<std::optional<std::int64_t>> number(std::string_view sql, std::string_view what);

  /// The last failure, as a Fault and a text for people: "sqlite.<what>: <reason> (<file>)".
  [[nodiscard]] Error error_of(int code, std::string_view what) const;

 private:
  struct Close {
    // _v2: statements that still live keep the connection until they are finalised.
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
  Duration busy_{};
};

/// A prepared statement. Bound text must outlive the next step().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  [[nodiscard]] sqlite3_stmt* handle() const { return handle_.get(); }

  Statement& bind(int place, std::int64_t value);
  Statement& bind(int place, std::string_view value);
  Statement& bind_blob(int place, std::string_view value);
  Statement& bind_optional(int place, const std::optional<std::string>& value);
  Statement& bind(int place, std::nullptr_t);

  /// SQLITE_ROW, SQLITE_DONE or an error code.
  int step() { return sqlite3_step(handle_.get()); }

  /// Ends its read transaction, if it was the last one; ready to be bound and run again.
  void reset() { sqlite3_reset(handle_.get()); }

  /// Runs a statement that returns no rows (they are passed over) and resets it. SQLITE_DONE or an error
  /// code.
  int run();

  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
  }
  /// Valid until the next step() or reset(). Text as UTF-8, a blob as it is, numbers as SQLite writes them;
  /// empty for NULL.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string string(int column) const { return std::string(text(column)); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// BEGIN IMMEDIATE, rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection, std::string_view what);
  /// What is read within it is of one moment.
  static Result<Transaction> begin_reading(Connection& connection, std::string_view what);
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Result<void> commit(std::string_view what);

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

/// False also when nobody may look.
bool file_exists(const std::string& path);

/// "name", fit for SQL.
std::string quoted_name(std::string_view name);

}  // namespace outbox::sqlite
