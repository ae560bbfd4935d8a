#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/postgresql_admin.h"
#include "adapters/stores/postgresql/postgresql_store.h"
#include "adapters/stores/stores.h"
#include "schema/embedded.h"

namespace outbox {
namespace {

template <class Port, class Implementation>
Result<std::unique_ptr<Port>> opened(const StoreTarget& target) {
  auto settings = postgresql::connection_settings(target.url);
  if (!settings) return settings.error();
  return std::unique_ptr<Port>(
      std::make_unique<Implementation>(std::move(*settings), postgresql::table_name(target.table)));
}

}  // namespace

StoreAdapter postgresql_adapter() {
  StoreAdapter adapter;
  adapter.name = "postgresql";
  adapter.schemes = {"postgresql", "postgres"};
  adapter.migrations = postgresql_migrations();
  adapter.open_store = &opened<Store, postgresql::PostgresqlStore>;
  adapter.open_admin = &opened<Admin, postgresql::PostgresqlAdmin>;
  return adapter;
}

}  // namespace outbox
