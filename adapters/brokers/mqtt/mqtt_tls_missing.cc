#include "adapters/brokers/mqtt/mqtt_tls.h"

namespace outbox {

struct MqttTls::State {};

MqttTls::MqttTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
MqttTls::~MqttTls() = default;

std::string MqttTls::missing() {
  return "this build has no OpenSSL for mqtts://; install libssl-dev and build again, or use mqtt:// through "
         "a TLS tunnel";
}

Result<std::unique_ptr<MqttTls>> MqttTls::make(const MqttSettings&, const std::string&) {
  return Error{Fault::misconfigured, missing()};
}

void* MqttTls::context() const {
  return nullptr;
}

std::string MqttTls::refusal() const {
  return {};
}

}  // namespace outbox
