// kafkas:// and logins: only a server with the right certificate and name is spoken to, and only with the
// right password.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/kafka_server.h"

namespace outbox::test {
namespace {

KafkaServer& server() {
  struct Ready {
    Ready() {
      server.admin().create_topic("order.placed");
      server.admin().grant("outboxd", "order.", true);
      server.admin().grant("CN=broker.test", "order.", true);
    }
    KafkaServer server{{.has_users = true, .has_tls = true}};
  };
  static Ready one;
  return one.server;
}

std::string address(int port) {
  return "127.0.0.1:" + std::to_string(port);
}

TEST_CASE("kafkas:") {
  // A cold Java process takes its time for a handshake; what the suite expects to fail does so at once.
  const Duration long_enough = patience / 2;
  broker_tls_suite(kafka_adapter(),
                   {"kafkas://" + address(server().tls_port()), server().certificate().file,
                    "kafkas://" + address(server().port())},
                   {{"timeout", long_enough}, {"connect_timeout", long_enough}});
}

TEST_CASE("kafkas: the relay shows a certificate of its own, has its rights, and sends large messages") {
  const Certificate& certificate = server().certificate();
  const auto broker = open_broker(
      kafka_adapter(), "kafkas://" + address(server().tls_port()),
      {{"ca_file", certificate.file}, {"cert_file", certificate.file}, {"key_file", certificate.key}});
  Rows rows;
  for (int i = 0; i < 3; ++i) rows.add({.payload = std::string(1000000, 'x')});
  Driver driver(*broker);
  CHECK(count(driver.publish(rows), Verdict::accepted) == 3);
  Rows forbidden;
  forbidden.add({.topic = "weak"});
  CHECK(driver.publish(forbidden)[0].verdict == Verdict::misconfigured);
}

TEST_CASE("kafka: each login is taken with the right password only, and no reason shows it") {
  const auto session_of = [](const std::string& mechanism, const std::string& password) {
    const std::string url = "kafka://outboxd:" + password + "@" + address(server().login_port());
    return Driver(*open_broker(kafka_adapter(), url, {{"sasl_mechanism", mechanism}})).connect();
  };
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    CHECK(session_of(mechanism, "right-secret").state == Session::State::up);
    const Session wrong = session_of(mechanism, "wrong-secret");
    CHECK(wrong.state == Session::State::misconfigured);
    CHECK_MESSAGE(wrong.reason.find("uthentication") != std::string::npos, wrong.reason);
    CHECK_MESSAGE(wrong.reason.find("secret") == std::string::npos, wrong.reason);
  }
}

std::vector<Finding> findings_of(const std::string& url, const std::vector<std::string>& topics,
                                 std::int64_t batch_bytes = 1000000) {
  BrokerTarget target{url, "/tests", Attributes::full, default_settings(kafka_adapter().settings)};
  target.settings.at("batch_bytes") = batch_bytes;
  return kafka_adapter().check(target, topics, patience);
}

bool has(const std::vector<Finding>& findings, Finding::Level level, const std::string& what) {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.level == level && finding.what.find(what) != std::string::npos;
  });
}

TEST_CASE("kafka: check names a topic's replicas, its size limit, and what makes an acknowledgement weak") {
  const std::string url = "kafka://" + address(server().port());
  KafkaAdmin& admin = server().admin();
  admin.create_topic("weak", 2, {{"unclean.leader.election.enable", "true"}, {"cleanup.policy", "compact"}});
  admin.create_topic("small", 1, {{"max.message.bytes", "50000"}});

  const auto weak = findings_of(url, {"weak"});
  CHECK(has(weak, Finding::Level::ok, "topic 'weak' is there: 2 partitions, 1 replicas"));
  CHECK(has(weak, Finding::Level::ok, "takes messages up to 1048588 bytes"));
  CHECK(has(weak, Finding::Level::warning, "has one replica"));
  CHECK(has(weak, Finding::Level::warning, "may elect a leader that lacks accepted messages"));
  CHECK(has(weak, Finding::Level::warning, "is compacted"));

  CHECK(has(findings_of(url, {"small"}), Finding::Level::fault, "takes 50000 bytes at once"));
  CHECK(!has(findings_of(url, {"small"}, 50000), Finding::Level::fault, "small"));
}

TEST_CASE("kafka: check names the topics that are not there or not allowed") {
  server().admin().create_topic("hidden");
  const std::string login = "kafka://outboxd:right-secret@" + address(server().login_port());
  const auto findings = findings_of(login, {"order.placed", "order.unknown", "hidden"});
  CHECK(has(findings, Finding::Level::ok, "topic 'order.placed' is there"));
  CHECK(has(findings, Finding::Level::warning, "topic 'order.placed' does not show its configuration"));
  CHECK(has(findings, Finding::Level::fault, "topic 'order.unknown' is refused"));
  CHECK(has(findings, Finding::Level::fault, "topic 'hidden' is refused"));
  for (const Finding& finding : findings)
    CHECK_MESSAGE((finding.level == Finding::Level::ok || !finding.fix.empty()), finding.what);
}

}  // namespace
}  // namespace outbox::test
