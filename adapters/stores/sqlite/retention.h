// Removes sent rows from the services' database, on a connection of its own. On the session's thread.
#pragma once

#include <cstdint>

#include "adapters/stores/sqlite/files.h"
#include "adapters/stores/sqlite/sqlite_session.h"
#include "core/admin.h"

namespace outbox::sqlite {

/// As AdminLog::remove_sent.
Result<Removed> remove_sent_rows(SqliteSession& session, const Files& files, const Retention& retention,
                                 std::int64_t& place);

}  // namespace outbox::sqlite
