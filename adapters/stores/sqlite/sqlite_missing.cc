// In place of the adapter when it is built without SQLite: the migrations can be printed all the same.
#include "adapters/stores/stores.h"
#include "schema/embedded.h"

namespace outbox {

StoreAdapter sqlite_adapter() {
  return {.name = "sqlite",
          .schemes = {"sqlite"},
          .migrations = sqlite_migrations(),
          .open_store = {},
          .open_admin = {},
          .missing = "this outboxd was built without SQLite; install libsqlite3-dev and build it again"};
}

}  // namespace outbox
