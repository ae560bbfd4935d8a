// kafkas:// and logins: only a server with the right certificate and name is spoken to, and only with the
// right password.
#include <doctest/doctest.h>

#include <string>

#include "tests/conformance/kafka_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("kafkas:") {
  const Certificate& certificate = KafkaFixture::server().certificate();
  // A cold Java process takes its time for a handshake; what the suite expects to fail does so at once.
  const Duration long_enough = patience / 2;
  broker_tls_suite(kafka_adapter(),
                   {.url = [](int port) { return "kafkas://127.0.0.1:" + std::to_string(port); },
                    .port = KafkaFixture::server().tls_port(),
                    .plain_port = KafkaFixture::server().port(),
                    .certificate = certificate.file,
                    .settings = {{"timeout", long_enough}, {"connect_timeout", long_enough}},
                    .takes_proxy = false,
                    .relay_certificate = certificate.file,
                    .relay_key = certificate.key});
}

TEST_CASE("kafkas: a certificate of the relay's own has its rights, and no others") {
  const Certificate& certificate = KafkaFixture::server().certificate();
  const auto broker = open_broker(
      kafka_adapter(), "kafkas://127.0.0.1:" + std::to_string(KafkaFixture::server().tls_port()),
      {{"ca_file", certificate.file}, {"cert_file", certificate.file}, {"key_file", certificate.key}});
  CHECK(Driver(*broker).publish(rows_to({"forbidden"}))[0].verdict == Verdict::misconfigured);
}

TEST_CASE("kafka: each login is taken with the right password") {
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    KafkaFixture fixture;
    const auto broker = fixture.open_at(fixture.port(), {{"sasl_mechanism", std::string(mechanism)}});
    CHECK(Driver(*broker).connect().state == Session::State::up);
  }
}

TEST_CASE("kafka: check names a topic's replicas, its size limit, and what makes an acknowledgement weak") {
  const std::string url = KafkaFixture::url_of("", KafkaFixture::server().port());
  KafkaAdmin& admin = KafkaFixture::server().admin();
  admin.create_topic("weak", 2, {{"unclean.leader.election.enable", "true"}, {"cleanup.policy", "compact"}});
  admin.create_topic("small", 1, {{"max.message.bytes", "50000"}});

  const CheckReport weak(kafka_adapter(), url, {"weak"});
  CHECK(weak.of("topic 'weak' is there: 2 partitions, 1 replicas") == "ok");
  CHECK(weak.of("takes messages up to 1048588 bytes") == "ok");
  CHECK(weak.of("has one replica") == "warning");
  CHECK(weak.of("may elect a leader that lacks accepted messages") == "warning");
  CHECK(weak.of("is compacted") == "warning");

  CHECK(CheckReport(kafka_adapter(), url, {"small"}).of("takes 50000 bytes at once") == "fault");
  const CheckReport small(kafka_adapter(), url, {"small"}, {{"batch_bytes", std::int64_t{50000}}});
  for (const Finding& finding : small.all())
    CHECK_MESSAGE(finding.level != Finding::Level::fault, finding.what);
}

TEST_CASE("kafka: check names the topics that are not there or not allowed") {
  KafkaFixture fixture;
  KafkaFixture::server().admin().create_topic("hidden");
  const CheckReport findings(kafka_adapter(), fixture.url(fixture.port()),
                             {"order.placed", "order.unknown", "hidden"});
  CHECK(findings.of("topic 'order.placed' is there") == "ok");
  CHECK(findings.of("topic 'order.placed' does not show its configuration") == "warning");
  CHECK(findings.of("topic 'order.unknown' is refused") == "fault");
  CHECK(findings.of("topic 'hidden' is refused") == "fault");
}

}  // namespace
}  // namespace outbox::test
