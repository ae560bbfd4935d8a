// Stands in for the adapter in a build without libcurl or OpenSSL.
#include "adapters/brokers/brokers.h"
#include "adapters/brokers/http/http_settings.h"

namespace outbox {

BrokerAdapter http_adapter() {
  static constexpr std::string_view missing =
      "this build has no libcurl with OpenSSL; install libcurl4-openssl-dev and libssl-dev and build again, "
      "or "
      "use a build that has them";
  const auto open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return Error{Fault::misconfigured, "http: " + std::string(missing)};
  };
  return {.name = "http",
          .schemes = {"http", "https"},
          .settings = http_setting_specs(),
          .open = open,
          .missing = missing};
}

}  // namespace outbox
