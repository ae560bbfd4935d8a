// What commands, operators and a relay's watcher ask of a PostgreSQL database. Owned by one thread. Connects
// when first asked, again after a connection was lost. Migrations and inserts use libpqxx: nothing of them is
// hot.
#pragma once

#include <memory>
#include <string>

#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/postgresql_log.h"
#include "adapters/stores/postgresql/tables.h"
#include "adapters/stores/sql/sql_admin.h"

namespace outbox::postgresql {

class AdminSessions;

class PostgresqlAdmin final : public sql::SqlAdmin {
 public:
  PostgresqlAdmin(ConnectionSettings settings, TableName table);
  ~PostgresqlAdmin() override;

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
  struct Open {
    std::unique_ptr<Connection> connection;
    std::unique_ptr<PostgresqlSession> session;
    PostgresqlLog log;
  };
  Result<Open> connect() const;

  std::unique_ptr<AdminSessions> sessions_;
  std::optional<Open> open_;
};

/// The SQL of a migration for a table that is not called outbox: the lone word outbox, outside quotes,
/// becomes the quoted name; outbox_mark, outbox_status and the like stay.
std::string renamed(std::string_view sql, std::string_view table);

}  // namespace outbox::postgresql
