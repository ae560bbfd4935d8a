// The MQTT adapter against a real mosquitto: what arrives, and what each answer means.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/mqtt_reader.h"
#include "tests/support/mosquitto_server.h"

namespace outbox::test {
namespace {

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

class MqttFixture : public BrokerFixture {
 public:
  explicit MqttFixture(MosquittoOptions options = {.settings = {"max_inflight_messages 1000"}})
      : server(std::move(options)) {}

  std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) override {
    return open_broker(mqtt_adapter(), server.url(), {}, attributes);
  }
  std::unique_ptr<Broker> open(const Settings& settings) {
    return open_broker(mqtt_adapter(), server.url(), settings);
  }
  std::vector<Received> received() override { return reader.received(); }
  [[nodiscard]] bool carries_topic(std::string_view topic) const override {
    return !topic.empty() && !topic.starts_with('$') && topic.size() <= 65535 &&
           topic.find_first_of("+#") == topic.npos && !has_control_character(topic);
  }
  [[nodiscard]] bool carries_header_name(std::string_view name) const override {
    return !has_control_character(name);
  }
  [[nodiscard]] bool carries_header_value(std::string_view value) const override {
    return !has_control_character(value);
  }
  [[nodiscard]] bool carries_attribute(std::string_view value) const override {
    return !has_control_character(value);
  }

  MosquittoServer server;
  MqttReader reader{server};
};

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

TEST_CASE("mqtt: a header with an attribute's name is rejected, and only its own message") {
  MqttFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add();
  rows.add({.headers = {{"id", "forged"}}});
  rows.add({.headers = {{"datacontenttype", "forged"}}});
  rows.add({.headers = {{"ID", "mine"}, {"ce_id", "mine"}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason.starts_with("header 'id' has a reserved name"));
  CHECK(delivery_of(deliveries, 3).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 4).verdict == Verdict::accepted);
  CHECK(fixture.received().size() == 2);
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
      rows.add({.key = text});
      rows.add({.content_type = text});
      rows.add({.headers = {{"h", text}}});
      if (text.size() < 100) rows.add({.topic = text});
    }
  const auto deliveries = driver.publish(rows);
  CHECK(count(deliveries, Verdict::rejected) == 4 * bad.size() - 1);
  CHECK(count(deliveries, Verdict::accepted) == 4 * good.size() - 1);
  CHECK(fixture.received().size() == 4 * good.size() - 1);
}

TEST_CASE("mqtt: a small Receive Maximum only takes time, and keeps the order") {
  MqttFixture fixture({.settings = {"max_inflight_messages 2"}});
  const auto broker = fixture.open();
  Rows rows;
  for (int i = 0; i < 3000; ++i) rows.add({.payload = std::to_string(i)});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 3000);
  const auto received = fixture.received();
  REQUIRE(received.size() == 3000);
  for (std::size_t i = 0; i < received.size(); ++i) REQUIRE(received[i].payload == std::to_string(i));
}

TEST_CASE("mqtt: a right that is missing hits the topics it is missing for, when it goes missing") {
  MosquittoOptions options{.user = "shop", .password = "right-secret"};
  options.rights = {"user shop", "topic readwrite #"};
  MqttFixture fixture(std::move(options));
  const auto broker = fixture.open();
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_to({"allowed", "forbidden"})), Verdict::accepted) == 2);
  fixture.server.change_rights(
      {"user shop", "topic read #", "topic readwrite allowed/#", "topic readwrite mark-of-the-test"});
  const auto deliveries = driver.publish(rows_to({"allowed", "forbidden", "allowed/too"}));
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
  CHECK_MESSAGE(delivery_of(deliveries, 2).reason.starts_with("mqtt: PUBLISH to 'forbidden': 0x87"),
                delivery_of(deliveries, 2).reason);
  CHECK_MESSAGE(delivery_of(deliveries, 3).verdict == Verdict::accepted, delivery_of(deliveries, 3).reason);
  CHECK(fixture.received().size() == 4);
}

TEST_CASE("mqtt: a message larger than the server's packets is rejected here and costs nobody a session") {
  MqttFixture fixture({.settings = {"max_packet_size 4000"}});
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  rows.add({.payload = std::string(4000, 'x')});
  rows.add();
  const auto deliveries = driver.publish(rows);
  CHECK(count(deliveries, Verdict::accepted) == 2);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason.find("more than the 4000 that the server takes") !=
        std::string::npos);
  CHECK(fixture.received().size() == 2);
}

TEST_CASE("mqtt: the size that is counted is the packet's, to the byte") {
  constexpr std::size_t limit = 4000;
  MqttFixture fixture({.settings = {"max_packet_size " + std::to_string(limit)}});
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
  const auto first = fixture.open(settings), second = fixture.open(settings);
  Driver one(*first), other(*second);
  REQUIRE(one.connect().state == Session::State::up);
  REQUIRE(other.connect().state == Session::State::up);
  CHECK(one.session().state == Session::State::down);
  CHECK(count(other.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("mqtt: a URL or settings that can never work are refused with the fix") {
  const auto refused = [](const std::string& url, const Settings& changed = {}, int sessions = 1) {
    BrokerTarget target{url, "", Attributes::full, default_settings(mqtt_adapter().settings)};
    for (const auto& [key, value] : changed) target.settings.at(key) = value;
    target.sessions = sessions;
    const auto opened = mqtt_adapter().open(target);
    REQUIRE(!opened);
    CHECK(opened.error().fault == Fault::misconfigured);
    return opened.error().text;
  };
  CHECK(refused("mqtt:") == "mqtt: the URL names no host; write mqtt://localhost:1883");
  refused("mqtt://localhost:port");
  refused("mqtt://localhost/topic");
  CHECK(refused("mqtt://localhost?password=hidden").find("hidden") == std::string::npos);
  refused("mqtt://localhost", {{"cert_file", std::string("cert.pem")}});
  refused("mqtt://localhost", {{"keepalive", Duration(std::chrono::seconds(4))}});
  CHECK(refused("mqtt://localhost", {{"client_id", std::string("orders")}}, 2).find("2 shards") !=
        std::string::npos);
}

std::vector<Finding> findings_of(const std::string& url, const std::vector<std::string>& topics = {},
                                 const Settings& changed = {}) {
  BrokerTarget target{url, "/tests", Attributes::full, default_settings(mqtt_adapter().settings)};
  for (const auto& [key, value] : changed) target.settings.at(key) = value;
  return mqtt_adapter().check(target, topics, std::chrono::seconds(10));
}

const Finding* finding_with(const std::vector<Finding>& findings, std::string_view text) {
  const auto found = std::ranges::find_if(
      findings, [=](const Finding& finding) { return finding.what.find(text) != std::string::npos; });
  return found == findings.end() ? nullptr : &*found;
}

TEST_CASE("mqtt: check tells what the server said of itself, and what nobody can ask") {
  MosquittoServer server({.settings = {"max_inflight_messages 500", "max_packet_size 65536"}});
  const auto findings = findings_of(server.url(), {"order.placed", "order/+"});
  for (const Finding& finding : findings) CHECK((finding.level == Finding::Level::ok) == finding.fix.empty());
  REQUIRE(finding_with(findings, "takes 500 messages in flight"));
  CHECK(finding_with(findings, "takes 500 messages in flight")->level == Finding::Level::ok);
  CHECK(finding_with(findings, "up to 65536 bytes"));
  REQUIRE(finding_with(findings, "'order/+' is no topic"));
  CHECK(finding_with(findings, "'order/+' is no topic")->level == Finding::Level::fault);
  CHECK(!finding_with(findings, "'order.placed'"));
  CHECK(finding_with(findings, "cannot be asked; a right"));
  REQUIRE(finding_with(findings, "an acknowledgement says"));
  CHECK(finding_with(findings, "an acknowledgement says")->level == Finding::Level::warning);
  CHECK(!finding_with(findings, "no_subscribers"));
}

TEST_CASE("mqtt: check warns of a small window and of messages that are dropped as sent") {
  MosquittoServer server;
  const auto findings = findings_of(server.url(), {}, {{"no_subscribers", std::string("accepted")}});
  REQUIRE(finding_with(findings, "takes only 20 messages in flight"));
  CHECK(finding_with(findings, "takes only 20 messages in flight")->level == Finding::Level::warning);
  CHECK(finding_with(findings, "no_subscribers"));
}

TEST_CASE("mqtt: check names a login that is refused, without the password") {
  MosquittoServer server({.user = "shop", .password = "right-secret"});
  CHECK(finding_with(findings_of(server.url()), "takes the session"));
  const auto findings = findings_of("mqtt://shop:wrong-secret@127.0.0.1:" + std::to_string(server.port()));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].level == Finding::Level::fault);
  CHECK(findings[0].what.find("0x87") != std::string::npos);
  CHECK(findings[0].what.find("secret") == std::string::npos);
}

TEST_CASE("mqtt: check leaves the relay's session alone, also with a client id of its own") {
  MqttFixture fixture;
  const Settings settings = {{"client_id", std::string("orders")}};
  const auto broker = fixture.open(settings);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  CHECK(finding_with(findings_of(fixture.server.url(), {}, settings), "takes the session"));
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
