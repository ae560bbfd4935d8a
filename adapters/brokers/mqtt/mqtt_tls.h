// TLS for an MQTT connection, with verification of the server's certificate and name. Belongs to one
// connection and its thread. Built from mqtt_tls.cc, or from mqtt_tls_missing.cc without OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "base/result.h"

namespace outbox {

/// What libmosquitto takes as its MOSQ_OPT_SSL_CTX, and what the handshake found out.
class MqttTls {
 public:
  /// Empty: this build can. Else what is missing and what to do.
  static std::string missing();

  /// Reads the certificate files each time, so that renewed ones are taken. `host`: as the URL has it.
  /// Errors: misconfigured (files), unavailable.
  static Result<std::unique_ptr<MqttTls>> make(const MqttSettings& settings, const std::string& host);
  MqttTls(const MqttTls&) = delete;
  MqttTls& operator=(const MqttTls&) = delete;
  ~MqttTls();

  /// An SSL_CTX; the library takes a share of it.
  [[nodiscard]] void* context() const;

  /// Why the server's certificate was refused; empty when it was not.
  [[nodiscard]] std::string refusal() const;

 private:
  struct State;
  explicit MqttTls(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace outbox
