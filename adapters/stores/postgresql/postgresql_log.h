// The outbox as PostgreSQL's log, for the books: where marks begin and end, what they have passed, what may
// be removed. Positions are reader.h's. Owned by the session's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/postgresql/postgresql_session.h"
#include "adapters/stores/sql/marks.h"
#include "adapters/stores/sql/sql_admin.h"

namespace outbox::postgresql {

class PostgresqlLog final : public sql::Log, public sql::AdminLog {
 public:
  /// The session must outlive the log.
  static Result<PostgresqlLog> create(PostgresqlSession& session);

  Result<sql::Position> beginning(Start start) override;
  Result<std::optional<std::string>> loss_behind(const std::string& route,
                                                 const sql::Position& position) override;
  [[nodiscard]] sql::Position earliest(const std::vector<sql::Position>& positions) const override;
  [[nodiscard]] std::string_view held_but_unread() const override;

  Result<sql::Position> now() override { return beginning(Start::now); }
  Result<sql::Position> before(std::int64_t seq) override;
  Result<sql::ReplayPlace> replay_place(const std::string& route, std::int64_t wanted) override;
  Result<void> adopt_rows(const std::optional<std::string>& route) override;
  Result<std::vector<std::int64_t>> put_behind_all(const std::vector<std::int64_t>& seqs) override;
  Result<void> forget(const sql::ValueRows& discarded) override;
  Result<Backlog> backlog(const std::string& route) override;
  Result<std::optional<sql::Position>> passed_by_all() override;
  Result<Removed> remove_passed(const sql::Position& passed, std::size_t rows_max,
                                std::int64_t& place) override;

  /// What makes a position one of this server's data, not of a copy of it.
  [[nodiscard]] const std::string& system_identifier() const { return system_identifier_; }

 private:
  PostgresqlLog(PostgresqlSession& session, std::string system_identifier)
      : session_(&session), system_identifier_(std::move(system_identifier)) {}
  Result<bool> is_of_other_cluster(const std::optional<std::string>& route);

  PostgresqlSession* session_;
  std::string system_identifier_;
};

/// Marks that nobody may go on from, a fault each.
Result<void> add_other_cluster(PostgresqlSession& session, std::vector<Finding>& findings);

}  // namespace outbox::postgresql
