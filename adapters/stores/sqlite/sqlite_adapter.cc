#include "adapters/stores/sqlite/sqlite_admin.h"
#include "adapters/stores/sqlite/sqlite_operator.h"
#include "adapters/stores/sqlite/sqlite_store.h"
#include "adapters/stores/sqlite/sqlite_upkeep.h"
#include "adapters/stores/stores.h"
#include "schema/embedded.h"

namespace outbox {

StoreAdapter sqlite_adapter() {
  return {.name = "sqlite",
          .schemes = {"sqlite"},
          .migrations = sqlite_migrations(),
          .open_store = SqliteStore::create,
          .open_admin = SqliteAdmin::create,
          .open_operator = SqliteOperator::create,
          .open_upkeep = SqliteUpkeep::create};
}

}  // namespace outbox
