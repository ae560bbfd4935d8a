// Stands in for the adapter in a build without libpq or libpqxx.
#include "adapters/stores/stores.h"
#include "schema/embedded.h"

namespace outbox {

StoreAdapter postgresql_adapter() {
  StoreAdapter adapter;
  adapter.name = "postgresql";
  adapter.schemes = {"postgresql", "postgres"};
  adapter.migrations = postgresql_migrations();
  adapter.missing = "this build has no PostgreSQL: install libpq-dev and libpqxx-dev and build again";
  const Error error{Fault::misconfigured, std::string(adapter.missing)};
  adapter.open_store = [error](const StoreTarget&) -> Result<std::unique_ptr<Store>> { return error; };
  adapter.open_admin = [error](const StoreTarget&) -> Result<std::unique_ptr<Admin>> { return error; };
  return adapter;
}

}  // namespace outbox
