// The outbox as SQLite's log, for the books: seq in the order of the commits, and the id of the row at a mark
// as its stamp. Owned by the session's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/sql/marks.h"
#include "adapters/stores/sql/sql_admin.h"
#include "adapters/stores/sqlite/files.h"
#include "adapters/stores/sqlite/outbox_table.h"
#include "adapters/stores/sqlite/sqlite_session.h"

namespace outbox::sqlite {

/// For a relay's session, which looks at the services' database by a connection of its own.
class SqliteLog final : public sql::Log {
 public:
  explicit SqliteLog(OutboxTable& table) : table_(table) {}

  Result<sql::Position> beginning(Start start) override;
  Result<std::optional<std::string>> loss_behind(const std::string& route,
                                                 const sql::Position& position) override;
  [[nodiscard]] sql::Position earliest(const std::vector<sql::Position>& positions) const override;
  [[nodiscard]] std::string_view held_but_unread() const override { return "h.seq > $3"; }

 private:
  OutboxTable& table_;
};

/// For commands, on a session that has the services' database attached as `service`.
class SqliteAdminLog final : public sql::AdminLog {
 public:
  SqliteAdminLog(SqliteSession& session, const Files& files) : session_(session), files_(files) {}

  Result<sql::Position> now() override;
  Result<sql::Position> before(std::int64_t seq) override;
  Result<sql::ReplayPlace> replay_place(const std::string& route, std::int64_t wanted) override;
  Result<void> adopt_rows(const std::optional<std::string>&) override { return {}; }
  Result<std::vector<std::int64_t>> put_behind_all(const std::vector<std::int64_t>&) override {
    return std::vector<std::int64_t>();
  }
  Result<void> forget(const sql::ValueRows&) override { return {}; }
  Result<Backlog> backlog(const std::string& route) override;
  Result<std::optional<sql::Position>> passed_by_all() override;
  Result<Removed> remove_passed(const sql::Position& passed, std::size_t rows_max,
                                std::int64_t& place) override;

 private:
  SqliteSession& session_;
  const Files& files_;
};

}  // namespace outbox::sqlite
