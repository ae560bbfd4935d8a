// Whether a session stays ours from one transaction to the next. A pooler may hand out another after each;
// what is set on it would then stay in the sessions of services.
#pragma once

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/connection_settings.h"
#include "base/result.h"

namespace outbox::postgresql {

/// To be asked before anything is set; sets nothing itself. `backend` is the process that answers on a
/// connection which is open, `announced` the one that the connection was made with: a pooler announces
/// numbers of its own. Errors: misconfigured, for pooling by transaction or statement; unavailable.
Result<void> check_pooler(const ConnectionSettings& settings, std::int64_t backend, std::int64_t announced);

}  // namespace outbox::postgresql
