// What can happen to a session with an MQTT server, played by killing the server and by a proxy that spoils
// the wire.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/mqtt_reader.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/mosquitto_server.h"

namespace outbox::test {
namespace {

class MqttFixture : public ServerFixture {
 public:
  [[nodiscard]] BrokerAdapter adapter() const override { return mqtt_adapter(); }
  [[nodiscard]] int port() const override { return server_.port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "mqtt://shop:right-secret@127.0.0.1:" + std::to_string(port);
  }
  void kill() override { server_.kill(); }
  void start() override {
    server_.start();
    reader_.await();
  }
  void freeze() override { server_.freeze(); }
  void thaw() override { server_.thaw(); }
  /// It saves after it has answered.
  [[nodiscard]] bool survives_kill() const override { return false; }
  std::vector<Received> received() override { return reader_.received(); }

  std::optional<TurnedAway> forbidden_topic() override {
    server_.change_rights(
        {"user shop", "topic read #", "topic readwrite order.placed", "topic readwrite mark-of-the-test"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "0x87"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(300000, 'x')}, Verdict::rejected, "bytes"};
  }
  std::string url_with_wrong_password() override {
    return "mqtt://shop:wrong-secret@127.0.0.1:" + std::to_string(port());
  }

 private:
  MosquittoServer server_{{.user = "shop",
                           .password = "right-secret",
                           .rights = {"user shop", "topic readwrite #"},
                           .settings = {"max_packet_size 250000", "max_inflight_messages 200"}}};
  MqttReader reader_{server_};
};

Rows rows_to_a(int count, std::size_t payload_size = 100) {
  return rows_of(count, payload_size, "a");
}

std::string url_of(int port) {
  return "mqtt://127.0.0.1:" + std::to_string(port);
}

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
  CHECK(count(Driver(*broker).publish(rows_to_a(1)), Verdict::accepted) == 1);
}

TEST_CASE("mqtt: no more than the server's Receive Maximum is in doubt when answers stay away") {
  MosquittoServer server({.settings = {"max_inflight_messages 7"}});
  FaultProxy proxy(server.port());
  const auto broker = open_broker(mqtt_adapter(), url_of(proxy.port()), easy());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_to_a(100);
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) == 7);
  CHECK(count(deliveries, Verdict::unavailable) == 93);
}

TEST_CASE("mqtt: a connection cut in the middle of the answers accepts exactly the answered") {
  MosquittoServer server({.settings = {"max_inflight_messages 1000"}});
  FaultProxy proxy(server.port());
  const auto broker = open_broker(mqtt_adapter(), url_of(proxy.port()), easy());
  Driver driver(*broker);
  for (std::size_t bytes : {0, 1, 4, 5, 500, 900}) {
    REQUIRE(driver.connect().state == Session::State::up);
    proxy.cut_after_answers(bytes);
    const Rows rows = rows_to_a(200);
    driver.submit(rows.submissions());
    const auto deliveries = driver.deliveries();
    const std::size_t accepted = count(deliveries, Verdict::accepted);
    CHECK(accepted == bytes / 5);  // a PUBACK that says 0x10
    CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 200 - accepted);
    for (std::size_t i = 0; i < accepted; ++i) CHECK(deliveries[i].ticket == i + 1);
    CHECK(driver.session().state == Session::State::down);
  }
}

TEST_CASE("mqtt: nothing is sent again by the library in a new session") {
  MosquittoServer server;
  MqttReader reader(server);
  FaultProxy proxy(server.port());
  const auto broker = open_broker(mqtt_adapter(), url_of(proxy.port()), impatient());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_to_a(10);
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 10);
  proxy.heal();
  REQUIRE(driver.connect().state == Session::State::up);
  Rows more;
  more.add();
  CHECK(count(driver.publish(more), Verdict::accepted) == 1);
  CHECK(reader.received().size() == 11);
}

TEST_CASE("mqtt: a silent server is noticed while nothing is sent") {
  MosquittoServer server;
  FaultProxy proxy(server.port());
  Settings settings = easy();
  settings["keepalive"] = Duration(std::chrono::seconds(5));
  const auto broker = open_broker(mqtt_adapter(), url_of(proxy.port()), settings);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.half_open(true);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason.ends_with("the server is silent"));
}

}  // namespace
}  // namespace outbox::test
