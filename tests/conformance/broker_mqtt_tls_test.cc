// mqtts://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/mqtt/mqtt_tls.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/mosquitto_server.h"

namespace outbox::test {
namespace {

class TlsMosquitto {
 public:
  explicit TlsMosquitto(bool wants_certificate = false)
      : server(
            {.settings = {"listener " + std::to_string(port) + " 127.0.0.1", "certfile " + certificate.file,
                          "keyfile " + certificate.key, "cafile " + certificate.file,
                          std::string("require_certificate ") + (wants_certificate ? "true" : "false")}}) {}
  [[nodiscard]] std::string url() const { return "mqtts://127.0.0.1:" + std::to_string(port); }

  Certificate certificate;
  int port = free_port();
  MosquittoServer server;
};

Settings trusting(const Certificate& certificate, const Settings& more = {}) {
  Settings settings = {{"ca_file", certificate.file}, {"no_subscribers", std::string("accepted")}};
  for (const auto& [key, value] : more) settings.insert_or_assign(key, value);
  return settings;
}

TEST_CASE("mqtts:") {
  if (!MqttTls::missing().empty()) return;
  TlsMosquitto mosquitto;
  broker_tls_suite(mqtt_adapter(),
                   {mosquitto.url(), mosquitto.certificate.file,
                    "mqtts://127.0.0.1:" + std::to_string(mosquitto.server.port())},
                   {{"no_subscribers", std::string("accepted")}});
}

TEST_CASE("mqtts: the relay shows a certificate of its own, and sends large messages") {
  if (!MqttTls::missing().empty()) return;
  TlsMosquitto mosquitto(true);
  const auto broker = open_broker(mqtt_adapter(), mosquitto.url(),
                                  trusting(mosquitto.certificate, {{"cert_file", mosquitto.certificate.file},
                                                                   {"key_file", mosquitto.certificate.key}}));
  CHECK(count(Driver(*broker).publish(rows_of(3, 1 << 20)), Verdict::accepted) == 3);
  const auto bare = open_broker(mqtt_adapter(), mosquitto.url(), trusting(mosquitto.certificate));
  CHECK(Driver(*bare).connect().state != Session::State::up);
}

TEST_CASE("mqtts: messages in flight when the wire is cut are in doubt") {
  if (!MqttTls::missing().empty()) return;
  TlsMosquitto mosquitto;
  FaultProxy proxy(mosquitto.port);
  const auto broker =
      open_broker(mqtt_adapter(), "mqtts://127.0.0.1:" + std::to_string(proxy.port()),
                  trusting(mosquitto.certificate, {{"connect_timeout", Duration(std::chrono::seconds(1))}}));
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(10, 100);
  driver.submit(rows.submissions());
  proxy.cut();
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 10);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 10);
}

TEST_CASE("mqtts: a server that takes the connection and says nothing is down after connect_timeout") {
  if (!MqttTls::missing().empty()) return;
  TlsMosquitto mosquitto;
  FaultProxy proxy(mosquitto.port);
  proxy.half_open(true);
  const auto broker =
      open_broker(mqtt_adapter(), "mqtts://127.0.0.1:" + std::to_string(proxy.port()), impatient());
  const Session session = Driver(*broker).connect();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.find("no connection within") != std::string::npos);
}

}  // namespace
}  // namespace outbox::test
