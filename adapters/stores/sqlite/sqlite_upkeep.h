// The Upkeep on a SQLite database. Every call opens what it needs and closes it again. Owned by the thread
// that calls it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/sqlite/files.h"
#include "core/adapter.h"
#include "core/upkeep.h"

namespace outbox {

class SqliteUpkeep final : public Upkeep {
 public:
  /// Opens no database yet. Errors: misconfigured (URL, table name).
  static Result<std::unique_ptr<Upkeep>> create(const StoreTarget& target);

  explicit SqliteUpkeep(sqlite::Files files) : files_(std::move(files)) {}

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
  Result<std::optional<sqlite::StateFile>> state() const;

  sqlite::Files files_;
  std::int64_t removed_up_to_ = 0;  ///< where remove_sent() goes on; 0: it begins anew
};

}  // namespace outbox
