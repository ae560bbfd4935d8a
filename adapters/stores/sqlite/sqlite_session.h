// The books' session on SQLite: stores/sql/session.h. Its main database is the relay's file, so that a
// transaction that writes locks that file alone. Owned by the thread that made it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/timestamp.h"
#include "adapters/stores/sql/session.h"
#include "adapters/stores/sqlite/database.h"
#include "adapters/stores/sqlite/sqlite_dialect.h"

namespace outbox::sqlite {

class SqliteSession final : public sql::Session {
 public:
  static Result<std::unique_ptr<SqliteSession>> create(Connection connection, sql::Tables tables);
  SqliteSession(const SqliteSession&) = delete;
  SqliteSession& operator=(const SqliteSession&) = delete;

  [[nodiscard]] const sql::Dialect& dialect() const override { return dialect_; }
  [[nodiscard]] Connection& connection() { return connection_; }

  Result<void> begin(const char* what, bool writes = true) override;
  Result<void> commit(const char* what) override;
  void rollback() noexcept override;
  Result<std::int64_t> run(const char* what, const sql::Call& call, const sql::OnRow& on_row = {}) override;
  Result<std::int64_t> run(const char* what, const std::string& text, std::span<const sql::Value> values,
                           const sql::OnRow& on_row = {}) override;
  Result<bool> run_together(const char* what, std::span<const sql::Call> calls,
                            const sql::OnRow& on_row) override;
  [[nodiscard]] Error error(Fault fault, std::string_view what, const std::string& text) const override;

  /// This moment, the same throughout a transaction.
  [[nodiscard]] Timestamp now() const { return now_; }

 private:
  SqliteSession(Connection connection, sql::Tables tables)
      : connection_(std::move(connection)), dialect_(std::move(tables)) {}

  Result<void> add_functions();
  Result<void> look_around(const char* what);
  Result<std::int64_t> run_rows(const char* what, Statement& statement, const sql::Call& call,
                                const sql::OnRow& on_row);

  Connection connection_;
  SqliteDialect dialect_;
  std::map<const sql::Statement*, Statement> prepared_;
  Timestamp now_{};
};

}  // namespace outbox::sqlite
