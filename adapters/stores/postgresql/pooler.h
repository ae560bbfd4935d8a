// Whether a session stays ours from one transaction to the next. A pooler may hand out another after each;
// what is set on it would then stay in the sessions of services.
#pragma once

#include <cstdint>

#include "adapters/stores/postgresql/connection.h"
#include "base/result.h"

namespace outbox::postgresql {

/// The server's process that answers. A pooler announces a number of its own when it is connected to.
Result<std::int64_t> backend_of(Connection& connection);

/// To be asked before anything is set, of two connections through one pooler; sets nothing itself. Errors:
/// misconfigured, for pooling by transaction or statement; unavailable.
Result<void> check_pooler(Connection& idle, Connection& other);

}  // namespace outbox::postgresql
