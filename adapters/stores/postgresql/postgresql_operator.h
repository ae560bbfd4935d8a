// What operators do to a PostgreSQL database. Owned by one thread. Connects when first asked, again after a
// connection was lost.
#pragma once

#include <memory>
#include <string>

#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/operator.h"

namespace outbox::postgresql {

class AdminSessions;

class PostgresqlOperator final : public Operator {
 public:
  PostgresqlOperator(ConnectionSettings settings, TableName table);
  ~PostgresqlOperator() override;

  Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<HeldPlace>& after,
                                      std::size_t rows_max) override;
  Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                std::optional<std::int64_t> seq, bool with_payload) override;
  Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                              bool dry_run, const std::string& actor) override;
  Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) override;
  Result<void> note(const std::string& action, const std::string& actor) override;
  Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;
  Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;

 private:
  std::unique_ptr<AdminSessions> sessions_;
};

}  // namespace outbox::postgresql
