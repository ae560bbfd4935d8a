// The rows of outbox_mark: taking, keeping and moving them. Every write names the epoch under which it was
// granted, and no row changed means that somebody else holds the lease. Owned by the store's thread.
#pragma once

#include <optional>
#include <utility>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/store.h"

namespace outbox::postgresql {

class Marks {
 public:
  /// Prepares the statements on the connection, which must outlive the object. Those of held rows must be
  /// prepared as well.
  static Result<Marks> prepare(Connection& connection, const Tables& tables);

  Result<Acquired> acquire(const LeaseRequest& request);
  Result<void> renew(const Lease& lease);
  Result<void> release(const Lease& lease);
  Result<Settled> settle(const Lease& lease, const Mark& mark, const HeldWrites& held);

 private:
  Marks(Connection& connection, Tables tables) : connection_(&connection), tables_(std::move(tables)) {}
  Result<std::optional<LeaseHolder>> fit(const LeaseRequest& request);
  Result<void> fenced_unless_changed(const Lease& lease, const char* what, const Result<Rows>& rows) const;
  Result<Settled> settle_with_holds(const Lease& lease, const Mark& mark, const HeldWrites& held);

  Connection* connection_;
  Tables tables_;
};

}  // namespace outbox::postgresql
