// shard_of() within SQL.
#pragma once

#include "adapters/stores/sqlite/database.h"

namespace outbox::sqlite {

/// Makes outbox_shard(message_key, seq, shards) known to the connection, for as long as it lives.
Result<void> add_shard_function(Connection& connection);

}  // namespace outbox::sqlite
