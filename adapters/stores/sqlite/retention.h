// Removes rows of the service's database that nobody waits for, a chunk at a time. Owned by the thread that
// calls it.
#pragma once

#include <cstdint>

#include "adapters/stores/sqlite/files.h"
#include "core/upkeep.h"

namespace outbox::sqlite {

/// One chunk behind `place`, which it moves; 0 is the beginning. See Upkeep::remove_sent().
Result<Removed> remove_sent_rows(const Files& files, const Retention& retention, std::int64_t& place);

}  // namespace outbox::sqlite
