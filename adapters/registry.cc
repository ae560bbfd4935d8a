#include "adapters/registry.h"

#include "adapters/brokers/brokers.h"
#include "adapters/stores/stores.h"

namespace outbox {

std::span<const BrokerAdapter> broker_adapters() {
  static const BrokerAdapter table[] = {
#define OUTBOX_BROKER(name) name##_adapter(),
#include "adapters/brokers/brokers.inc"
#undef OUTBOX_BROKER
  };
  return table;
}

std::span<const StoreAdapter> store_adapters() {
  static const StoreAdapter table[] = {postgresql_adapter(), sqlite_adapter()};
  return table;
}

}  // namespace outbox
