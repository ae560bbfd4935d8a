#include <memory>
#include <string>
#include <utility>

#include "adapters/brokers/amqp/amqp_broker.h"
#include "adapters/brokers/amqp/amqp_check.h"
#include "adapters/brokers/brokers.h"

namespace outbox {

BrokerAdapter amqp_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse_amqp_settings(target);
    if (!settings) return settings.error();
    return std::unique_ptr<Broker>(std::make_unique<AmqpBroker>(std::move(*settings), target));
  };
  return {.name = "amqp",
          .schemes = {"amqp", "amqps"},
          .settings = amqp_setting_specs(),
          .open = open,
          .check = check_amqp};
}

}  // namespace outbox
