// Stands in for the adapter in a build without nats.c.
#include "adapters/brokers/brokers.h"
#include "adapters/brokers/nats/nats_settings.h"

namespace outbox {

BrokerAdapter nats_adapter() {
  static constexpr std::string_view missing =
      "this build has no nats.c; install libnats-dev and build again, or use a build that has it";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "nats: " + std::string(missing)};
  };
  return {.name = "nats",
          .schemes = {"nats", "tls"},
          .settings = nats_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
