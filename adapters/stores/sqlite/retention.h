// Removes sent rows from the services' database, on a connection of its own. On the session's thread.
#pragma once

#include <cstdint>

#include "adapters/stores/sqlite/files.h"
#include "adapters/stores/sqlite/sqlite_session.h"
#include "core/admin.h"

namespace outbox::sqlite {

/// Where the slowest route is; nullopt: a route has not begun, or has another database's mark, and nothing
/// may go.
Result<std::optional<std::int64_t>> lowest_mark(SqliteSession& session, const Files& files);

/// As AdminLog::remove_passed.
Result<Removed> remove_sent_rows(SqliteSession& session, const Files& files, std::int64_t passed,
                                 std::size_t rows_max, std::int64_t& place);

}  // namespace outbox::sqlite
