// The MQTT adapter against a real mosquitto: what arrives, and what each answer means.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/conformance/mqtt_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("mqtt:") {
  MqttFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("mqtt: a message that nobody has subscribed to is rejected, or accepted where that is set") {
  MosquittoServer server;
  const auto broker = open_broker(mqtt_adapter(), server.url());
  const auto deliveries = Driver(*broker).publish(rows_to({"a"}));
  CHECK(deliveries[0].verdict == Verdict::rejected);
  CHECK(deliveries[0].reason.starts_with("mqtt: PUBLISH to 'a': nobody has subscribed"));
  const auto easy = open_broker(mqtt_adapter(), server.url(), {{"no_subscribers", std::string("accepted")}});
  CHECK(Driver(*easy).publish(rows_to({"a"}))[0].verdict == Verdict::accepted);
}

TEST_CASE(
    "mqtt: a header that is no attribute of CloudEvents goes as it is, one of an attribute's name never") {
  MqttFixture fixture;
  const auto broker = fixture.open();
  const std::map<std::string, std::string> odd = {
      {"X-Tenant", "a b%20c"}, {"größe", "größe \U0001F6D2"}, {"a b", " x "}, {"ID", "1"}, {"data", "{}"},
      {"ce-id", "1"},          {"Content-Type", "a/b"},       {"none", ""}};
  Rows rows;
  rows.add({.key = "42", .headers = {odd.begin(), odd.end()}});
  for (const char* name :
       {"id", "source", "specversion", "type", "time", "subject", "partitionkey", "datacontenttype"})
    rows.add({.headers = {{name, "forged"}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(count(deliveries, Verdict::accepted) == 1);
  CHECK(count(deliveries, Verdict::rejected) == 8);
  const auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].headers == odd);
  CHECK(received[0].attributes.size() == 7);
  CHECK(received[0].id() == uuid_of(1));
  CHECK(received[0].content_type == "application/json");
}

TEST_CASE("mqtt: texts that a server would take as a malformed packet never reach it") {
  MqttFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  const std::vector<std::string> bad = {"\x01",
                                        "\x7F",
                                        "\xC2\x80",
                                        "\xC2\x9F",
                                        "\xEF\xB7\x90",
                                        "\xEF\xB7\xAF",
                                        "\xEF\xBF\xBE",
                                        "\xEF\xBF\xBF",
                                        "\xFF",
                                        "\xC3",
                                        "\xF0\x9F\xBF\xBE",
                                        "\xED\xA0\x80",
                                        std::string("\0", 1),
                                        std::string(65536, 'x')};
  const std::vector<std::string> good = {
      "\xC2\xA0",         "\xEF\xB7\x8F", "\xEF\xB7\xB0",         "\xEF\xBF\xBD",
      "\xF0\x9F\xBE\xBE", "\xEE\xBF\xBF", std::string(65535, 'x')};
  Rows rows;
  for (const auto* texts : {&bad, &good})
    for (const std::string& text : *texts) {
      if (text.size() > 65535) rows.add({.key = text});
      rows.add({.headers = {{"h", text}}});
      if (text.size() < 100) rows.add({.topic = text});
    }
  const auto deliveries = driver.publish(rows);
  CHECK(count(deliveries, Verdict::rejected) == 2 * bad.size());
  CHECK(count(deliveries, Verdict::accepted) == 2 * good.size() - 1);
  CHECK(fixture.received().size() == 2 * good.size() - 1);
}

TEST_CASE("mqtt: a small Receive Maximum only takes time, and keeps the order") {
  MqttFixture fixture({"max_inflight_messages 2"});
  const auto broker = fixture.open();
  Rows rows;
  for (int i = 0; i < 3000; ++i) rows.add({.payload = std::to_string(i)});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 3000);
  const auto received = fixture.received();
  REQUIRE(received.size() == 3000);
  for (std::size_t i = 0; i < received.size(); ++i) REQUIRE(received[i].payload == std::to_string(i));
}

TEST_CASE("mqtt: the size that is counted is the packet's, to the byte") {
  constexpr std::size_t limit = 4000;
  MqttFixture fixture({"max_packet_size " + std::to_string(limit)});
  const auto broker = fixture.open();
  Driver driver(*broker);
  std::size_t accepted = 0;
  Rows rows;
  for (std::size_t size = limit - 400; size <= limit; ++size)
    rows.add({.key = "k", .payload = std::string(size, 'x'), .headers = {{"name", "value"}}});
  for (const Delivery& delivery : driver.publish(rows)) {
    REQUIRE((delivery.verdict == Verdict::accepted || delivery.verdict == Verdict::rejected));
    if (delivery.verdict == Verdict::accepted) ++accepted;
  }
  CHECK(accepted > 0);
  CHECK(accepted < rows.size());
  CHECK(fixture.received().size() == accepted);
  // The first that was refused here is the first that the server would have refused.
  const std::string reason =
      "takes " + std::to_string(limit + 1) + " bytes, more than the " + std::to_string(limit);
  const auto again = driver.publish(rows);
  CHECK(delivery_of(again, static_cast<std::int64_t>(accepted) + 1).reason.find(reason) != std::string::npos);
}

TEST_CASE("mqtt: a second session with the client id ends the first") {
  MqttFixture fixture;
  const Settings settings = {{"client_id", std::string("orders")}};
  const auto first = fixture.open_at(fixture.port(), settings);
  const auto second = fixture.open_at(fixture.port(), settings);
  Driver one(*first), other(*second);
  REQUIRE(one.connect().state == Session::State::up);
  REQUIRE(other.connect().state == Session::State::up);
  CHECK(one.session().state == Session::State::down);
  CHECK(count(other.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("mqtt: a URL or settings that can never work are refused with the fix") {
  const BrokerAdapter mqtt = mqtt_adapter();
  refusal(mqtt, "mqtt://localhost/topic");
  refusal(mqtt, "mqtt://localhost", {{"keepalive", Duration(std::chrono::seconds(4))}});
  CHECK(refusal(mqtt, "mqtt://localhost", {{"client_id", std::string("orders")}}, 2).find("2 shards") !=
        std::string::npos);
}

TEST_CASE("mqtt: check tells what the server said of itself, and what nobody can ask") {
  MosquittoServer server({.settings = {"max_inflight_messages 500", "max_packet_size 65536"}});
  const CheckReport findings(mqtt_adapter(), server.url(), {"order.placed", "order/+"});
  CHECK(findings.of("takes 500 messages in flight") == "ok");
  CHECK(findings.of("up to 65536 bytes") == "ok");
  CHECK(findings.of("'order/+' is no topic") == "fault");
  CHECK(findings.of("'order.placed'") == "none");
  CHECK(findings.of("cannot be asked; a right") != "none");
  CHECK(findings.of("an acknowledgement says") == "warning");
  CHECK(findings.of("no_subscribers") == "none");
}

TEST_CASE("mqtt: check warns of a small window and of messages that are dropped as sent") {
  MosquittoServer server;
  const CheckReport findings(mqtt_adapter(), server.url(), {}, {{"no_subscribers", std::string("accepted")}});
  CHECK(findings.of("takes only 20 messages in flight") == "warning");
  CHECK(findings.of("no_subscribers") != "none");
}

TEST_CASE("mqtt: check names a login that is refused, without the password") {
  MqttFixture fixture;
  CHECK(CheckReport(mqtt_adapter(), fixture.server.url()).of("takes the session") != "none");
  const CheckReport findings(mqtt_adapter(), fixture.refused_logins()[0].url);
  REQUIRE(findings.all().size() == 1);
  CHECK(findings.of("0x87") == "fault");
  CHECK(findings.of("secret") == "none");
}

TEST_CASE("mqtt: check leaves the relay's session alone, also with a client id of its own") {
  MqttFixture fixture;
  const Settings settings = {{"client_id", std::string("orders")}};
  const auto broker = fixture.open_at(fixture.port(), settings);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  CHECK(CheckReport(mqtt_adapter(), fixture.server.url(), {}, settings).of("takes the session") != "none");
  CHECK(count(driver.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("mqtt: a server that takes QoS 0 only is misconfigured") {
  MosquittoServer server({.settings = {"max_qos 0"}});
  const Session session = Driver(*open_broker(mqtt_adapter(), server.url())).connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK(session.reason.find("allow QoS 1") != std::string::npos);
}

}  // namespace
}  // namespace outbox::test
