// Stands in for the adapter in a build without librabbitmq or OpenSSL.
#include "adapters/brokers/amqp/amqp_settings.h"
#include "adapters/brokers/brokers.h"

namespace outbox {

BrokerAdapter amqp_adapter() {
  static constexpr std::string_view missing =
      "this build has no librabbitmq or no OpenSSL; install librabbitmq-dev and libssl-dev and build again, "
      "or use a build that has them";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "amqp: " + std::string(missing)};
  };
  return {.name = "amqp",
          .schemes = {"amqp", "amqps"},
          .settings = amqp_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
