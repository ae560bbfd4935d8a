#include "adapters/registry.h"

#include <algorithm>

#include "adapters/brokers/brokers.h"
#include "adapters/stores/stores.h"
#include "core/url.h"

namespace outbox {
namespace {

template <class Adapter>
const Adapter* find(std::span<const Adapter> adapters, std::string_view url) {
  const std::string scheme = scheme_of(url);
  for (const Adapter& adapter : adapters)
    if (std::ranges::find(adapter.schemes, scheme) != adapter.schemes.end()) return &adapter;
  return nullptr;
}

}  // namespace

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

const BrokerAdapter* broker_adapter_for(std::string_view url) {
  return find(broker_adapters(), url);
}
const StoreAdapter* store_adapter_for(std::string_view url) {
  return find(store_adapters(), url);
}

}  // namespace outbox
