// The Admin on a SQLite database. Every call opens what it needs and closes it again, so that nothing is held
// between two commands; a reader never makes the database or checkpoints it. Owned by the thread that calls
// it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/stores/sql/sql_admin.h"
#include "adapters/stores/sqlite/database.h"
#include "adapters/stores/sqlite/files.h"
#include "adapters/stores/sqlite/sqlite_log.h"
#include "adapters/stores/sqlite/sqlite_session.h"
#include "core/adapter.h"
#include "core/admin.h"

namespace outbox {

class SqliteAdmin final : public sql::SqlAdmin {
 public:
  /// Opens no database yet. Errors: misconfigured (URL, table name).
  static Result<std::unique_ptr<Admin>> create(const StoreTarget& target);

  Result<std::vector<Finding>> check() override;
  Result<std::string> send(const NewRow& row) override;
  Result<void> send_many(const NewRow& row, std::int64_t count, std::int64_t keys) override;
  Result<std::vector<AppliedMigration>> migrations() override;
  Result<bool> apply(const Migration& migration) override;
  Result<void> revert(const Migration& migration, bool force) override;

 protected:
  Result<sql::Books> open(bool makes) override;
  void close(bool failed) noexcept override;

 private:
  explicit SqliteAdmin(sqlite::Files files) : files_(std::move(files)) {}

  Result<std::int64_t> unsent(sqlite::Connection& connection, bool has_state) const;

  sqlite::Files files_;
  std::unique_ptr<sqlite::SqliteSession> session_;  // during a call
  std::optional<sqlite::SqliteAdminLog> log_;
};

}  // namespace outbox
