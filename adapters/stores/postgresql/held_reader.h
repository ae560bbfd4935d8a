// Looks up the rows of the outbox that are held and due. Owned by the store's thread.
#pragma once

#include "adapters/stores/postgresql/postgresql_session.h"
#include "adapters/stores/sql/held.h"
#include "core/store.h"

namespace outbox::postgresql {

/// As Store::read_held. A row that is gone from the outbox has a defect that says so.
Result<HeldBatch> read_held(PostgresqlSession& session, const Lease& lease, const ReadLimit& limit);

/// Prepares what read_held() runs.
Result<void> prepare_read_held(PostgresqlSession& session);

}  // namespace outbox::postgresql
