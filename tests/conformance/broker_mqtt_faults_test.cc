// What can happen to a session with an MQTT server, played by killing the server and by a proxy that spoils
// the wire.
#include <doctest/doctest.h>

#include <string>

#include "tests/conformance/mqtt_fixture.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

Settings easy() {
  Settings settings = impatient();
  settings["no_subscribers"] = std::string("accepted");
  return settings;
}

TEST_CASE("mqtt:") {
  MqttFixture fixture;
  broker_server_suite(fixture);
}

TEST_CASE("mqtt: of a host's several addresses the first that answers is taken") {
  MosquittoServer server;  // on 127.0.0.1 alone; localhost may be ::1 first
  const auto broker =
      open_broker(mqtt_adapter(), "mqtt://localhost:" + std::to_string(server.port()), easy());
  CHECK(count(Driver(*broker).publish(rows_of(1)), Verdict::accepted) == 1);
}

TEST_CASE("mqtt: no more than the server's Receive Maximum is in doubt when answers stay away") {
  MosquittoServer server({.settings = {"max_inflight_messages 7"}});
  FaultProxy proxy(server.port());
  const auto broker = open_broker(mqtt_adapter(), "mqtt://127.0.0.1:" + std::to_string(proxy.port()), easy());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(100);
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) == 7);
  CHECK(count(deliveries, Verdict::unavailable) == 93);
}

}  // namespace
}  // namespace outbox::test
