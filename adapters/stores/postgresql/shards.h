// Another number of shards: the marks of a route made anew, and what is held moved to where its keys are.
// Owned by the store's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/tables.h"
#include "core/store.h"

namespace outbox::postgresql {

/// Whether the one who asks may have a lease that this one holds.
bool is_free(const LeaseHolder& holder, const LeaseRequest& request);

/// A route's patterns as an array of patterns of LIKE, in text.
std::string like_patterns(const std::vector<std::string>& topics);

/// One transaction: the route has request.shards marks, each at the earliest of those before. Or nothing, but
/// that a lease which has expired is taken from its holder, and the answer is who still holds one of the old.
/// Does nothing when the number is right already. The session must end with an error.
Result<std::optional<LeaseHolder>> reshard(Connection& connection, const Tables& tables,
                                           const LeaseRequest& request);

}  // namespace outbox::postgresql
