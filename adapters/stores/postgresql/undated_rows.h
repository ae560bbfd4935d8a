// Rows with a tx that no transaction of this server has had: they came with a restore that disabled triggers,
// or were changed by hand. No snapshot would ever pass them, so no range brings them. Owned by the thread of
// the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/message.h"

namespace outbox::postgresql {

/// Which rows these are, as a condition on `tx`.
inline constexpr const char* is_undated = "tx >= pg_snapshot_xmax(pg_current_snapshot())";

/// SQL for the table's owner, after which they go out as if they were new.
std::string dating_of(const sql::Tables& tables);

class UndatedRows {
 public:
  UndatedRows(Connection& connection, const Tables& tables, std::string route)
      : connection_(&connection), outbox_(tables.outbox), held_(tables.held), route_(std::move(route)) {}

  /// Those that the route does not hold yet, each once, as rows with that defect; asks the server every few
  /// seconds only. They end where everything before `end` has been read, so that it stays the place.
  Result<Batch> look(Instant now, const Mark& end);

 private:
  Connection* connection_;
  std::string outbox_, held_, route_;
  std::set<std::int64_t> told_;
  std::optional<Instant> looked_;
};

}  // namespace outbox::postgresql
