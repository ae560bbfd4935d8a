// Stands in for the adapter in a build without hiredis.
#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_settings.h"

namespace outbox {

BrokerAdapter redis_adapter() {
  static constexpr std::string_view missing =
      "this build has no hiredis; install libhiredis-dev and build again, or use a build that has it";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "redis: " + std::string(missing)};
  };
  return {.name = "redis",
          .schemes = {"redis", "rediss"},
          .settings = redis_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
