// Who may move a route's marks. Runs on the store's thread.
#pragma once

#include "adapters/stores/sqlite/outbox_table.h"
#include "adapters/stores/sqlite/state_file.h"
#include "core/store.h"

namespace outbox::sqlite {

/// One transaction on the relay's file: see Store::acquire(). A mark that does not fit the database begins at
/// its oldest row.
Result<Acquired> take_lease(OutboxTable& table, StateFile& state, const LeaseRequest& request);

}  // namespace outbox::sqlite
