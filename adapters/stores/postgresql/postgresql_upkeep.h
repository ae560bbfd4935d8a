// What a relay process asks of a PostgreSQL database beside its lanes' sessions. Owned by one thread.
// Connects when first asked, again after a connection was lost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/upkeep.h"

namespace outbox::postgresql {

class AdminSessions;

class PostgresqlUpkeep final : public Upkeep {
 public:
  PostgresqlUpkeep(ConnectionSettings settings, TableName table);
  ~PostgresqlUpkeep() override;

  Result<std::vector<RouteShard>> routes() override;
  Result<Backlog> backlog(const std::string& route) override;
  Result<std::map<HeldState, std::int64_t>> held(const std::string& route) override;
  Result<std::vector<BlockedKey>> blocked_keys(const std::string& route, std::size_t keys_max) override;
  Result<Removed> remove_sent(const Retention& retention) override;
  Result<std::vector<std::string>> unrouted_topics() override;
  Result<std::int64_t> adopt(const std::string& route, const std::vector<std::string>& topics) override;
  Result<std::vector<RelayMember>> join(const std::string& owner) override;
  Result<void> leave(const std::string& owner) override;

 private:
  std::unique_ptr<AdminSessions> sessions_;
  std::int64_t removed_up_to_ = 0;  ///< where the next chunk begins
};

}  // namespace outbox::postgresql
