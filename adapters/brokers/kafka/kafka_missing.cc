// Stands in for the adapter in a build without librdkafka.
#include "adapters/brokers/brokers.h"
#include "adapters/brokers/kafka/kafka_settings.h"

namespace outbox {

BrokerAdapter kafka_adapter() {
  static constexpr std::string_view missing =
      "this build has no librdkafka; install librdkafka-dev and build again, or use a build that has it";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "kafka: " + std::string(missing)};
  };
  return {.name = "kafka",
          .schemes = {"kafka", "kafkas"},
          .settings = kafka_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
