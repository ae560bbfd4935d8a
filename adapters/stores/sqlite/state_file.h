// The relay's own file beside a SQLite database: the books. Any thread; a connection belongs to the thread
// that opened it.
#pragma once

#include <string>

#include "adapters/stores/sqlite/database.h"

namespace outbox::sqlite {

/// The file of this database, made where it is missing if `access` says so, its tables up to date. Errors:
/// unavailable; misconfigured (no right to write, not a database, written by a newer outboxd).
Result<Connection> open_state(const std::string& database, Access access);

/// The same without a file: nothing has ever happened in it, and nothing of it stays.
Result<Connection> open_empty_state();

}  // namespace outbox::sqlite
