#include "adapters/stores/sqlite/sqlite_admin.h"
#include "adapters/stores/sqlite/sqlite_store.h"
#include "adapters/stores/stores.h"
#include "schema/embedded.h"

namespace outbox {

StoreAdapter sqlite_adapter() {
  return {.name = "sqlite",
          .schemes = {"sqlite"},
          .migrations = sqlite_migrations(),
          .open_store = SqliteStore::create,
          .open_admin = SqliteAdmin::create};
}

}  // namespace outbox
