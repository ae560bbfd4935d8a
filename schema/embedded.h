// The SQL of schema/<database>/, embedded at build time. Immutable; any thread.
#pragma once

#include <span>
#include <string_view>

#include "core/admin.h"

namespace outbox {

/// By version, without gaps; empty when the folder holds none. Checksums are of the files as they are in the repository.
std::span<const Migration> postgresql_migrations();
std::span<const Migration> sqlite_migrations();

/// Of the relay's own file beside a SQLite database.
std::span<const Migration> sqlite_state_migrations();

/// Creates the TEMP view outbox_status on a connection that has the relay's file attached as outboxd.
std::string_view sqlite_status_view();

}  // namespace outbox
