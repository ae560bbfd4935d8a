#include "adapters/registry.h"

#include "adapters/brokers/brokers.h"
#include "adapters/stores/stores.h"

namespace outbox {
std::span<const BrokerAdapter> broker_adapters() {
  static const BrokerAdapter table[] = {null_adapter(),  stdout_adapter(), file_adapter(),
                                        redis_adapter(), mqtt_adapter(),   http_adapter(),
                                        amqp_adapter(),  nats_adapter(),   kafka_adapter()};
  return table;
}

std::span<const StoreAdapter> store_adapters() {
  static const StoreAdapter table[] = {postgresql_adapter(), sqlite_adapter()};
  return table;
}

}  // namespace outbox
