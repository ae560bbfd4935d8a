// Stands in for the adapter in a build without libmosquitto.
#include "adapters/brokers/brokers.h"
#include "adapters/brokers/mqtt/mqtt_settings.h"

namespace outbox {

BrokerAdapter mqtt_adapter() {
  static constexpr std::string_view missing =
      "this build has no libmosquitto; install libmosquitto-dev and build again, or use a build that has it";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "mqtt: " + std::string(missing)};
  };
  return {.name = "mqtt",
          .schemes = {"mqtt", "mqtts"},
          .settings = mqtt_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
