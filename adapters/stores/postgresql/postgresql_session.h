// The books' session on a libpq connection: stores/sql/session.h. Owned by the connection's thread.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/postgresql_dialect.h"
#include "adapters/stores/sql/session.h"

namespace outbox::postgresql {

class PostgresqlSession final : public sql::Session {
 public:
  /// The connection must outlive the session.
  PostgresqlSession(Connection& connection, sql::Tables tables)
      : connection_(connection), dialect_(std::move(tables)) {}

  [[nodiscard]] const sql::Dialect& dialect() const override { return dialect_; }
  [[nodiscard]] Connection& connection() { return connection_; }

  Result<void> begin(const char* what, bool writes = true) override;
  Result<void> commit(const char* what) override;
  void rollback() noexcept override;
  Result<std::int64_t> run(const char* what, const sql::Call& call, const sql::OnRow& on_row = {}) override;
  Result<std::int64_t> run(const char* what, const std::string& text, std::span<const sql::Value> values,
                           const sql::OnRow& on_row = {}) override;
  /// In one round trip.
  Result<bool> run_together(const char* what, std::span<const sql::Call> calls,
                            const sql::OnRow& on_row) override;
  [[nodiscard]] Error error(Fault fault, std::string_view what, const std::string& text) const override;

 private:
  Result<void> prepare(const sql::Statement& statement);
  std::string converted(const std::string& bytes);
  Result<Rows> spelt(Error failed, const std::function<Result<Rows>()>& again);
  [[nodiscard]] bool writes_all() const {
    return connection_.encoding() == "UTF8" || connection_.encoding() == "SQL_ASCII";
  }

  Connection& connection_;
  PostgresqlDialect dialect_;
  std::set<const sql::Statement*> prepared_;
};

}  // namespace outbox::postgresql
