// rediss://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_tls.h"
#include "tests/conformance/broker_suite.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

/// A server with a certificate of its own making for redis.test and 127.0.0.1.
class TlsServer {
 public:
  TlsServer() {
    const Finished made =
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=redis.test", "-addext",
             "subjectAltName=DNS:redis.test,IP:127.0.0.1"});
    REQUIRE_MESSAGE(made.exit_code == 0, made.output);
    server = std::make_unique<RedisServer>(RedisOptions{
        .arguments = {"--tls-port", std::to_string(port), "--tls-cert-file", certificate, "--tls-key-file",
                      key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "optional"}});
  }
  [[nodiscard]] std::string url() const { return "rediss://127.0.0.1:" + std::to_string(port); }

  TempDir directory;
  std::string certificate = directory / "server.pem", key = directory / "server.key";
  int port = free_port();
  std::unique_ptr<RedisServer> server;
};

Session session_of(const std::string& url, const Settings& settings) {
  return Driver(*open_broker(redis_adapter(), url, settings)).connect();
}

Rows rows_of(int count, std::size_t payload_size) {
  Rows rows;
  for (int i = 0; i < count; ++i) rows.add({.payload = std::string(payload_size, 'x')});
  return rows;
}

TEST_CASE("rediss: a build without TLS refuses the URL and says what is needed") {
  if (RedisTls::missing().empty()) return;
  const auto opened = redis_adapter().open(
      {"rediss://localhost", "", Attributes::full, default_settings(redis_adapter().settings)});
  REQUIRE(!opened);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(opened.error().text.find("hiredis with TLS") != std::string::npos);
}

TEST_CASE("rediss: messages go to a server whose certificate is trusted") {
  if (!RedisTls::missing().empty()) return;
  TlsServer server;
  const auto broker = open_broker(redis_adapter(), server.url(), {{"ca_file", server.certificate}});
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(5000, 300)), Verdict::accepted) == 5000);
  CHECK(count(driver.publish(rows_of(3, 1 << 20)), Verdict::accepted) == 3);
  CHECK(
      session_of(server.url(), {{"ca_file", server.certificate}, {"server_name", std::string("redis.test")}})
          .state == Session::State::up);
  CHECK(session_of(
            server.url(),
            {{"ca_file", server.certificate}, {"cert_file", server.certificate}, {"key_file", server.key}})
            .state == Session::State::up);
}

TEST_CASE("rediss: a certificate of an unknown authority, or for another name, is misconfigured") {
  if (!RedisTls::missing().empty()) return;
  TlsServer server;
  const Session unknown = session_of(server.url(), {});
  CHECK(unknown.state == Session::State::misconfigured);
  CHECK(unknown.reason.find("certificate is refused") != std::string::npos);
  const Session other =
      session_of(server.url(), {{"ca_file", server.certificate}, {"server_name", std::string("other.test")}});
  CHECK(other.state == Session::State::misconfigured);
  const Session missing = session_of(server.url(), {{"ca_file", std::string("/nonexistent/ca.pem")}});
  CHECK(missing.state == Session::State::misconfigured);
  CHECK(missing.reason.find("ca_file /nonexistent/ca.pem") != std::string::npos);
}

TEST_CASE("rediss: a port without TLS is down, and messages in flight when the wire is cut are in doubt") {
  if (!RedisTls::missing().empty()) return;
  TlsServer server;
  const Settings settings = {{"ca_file", server.certificate},
                             {"connect_timeout", Duration(std::chrono::seconds(1))}};
  CHECK(session_of("rediss://127.0.0.1:" + std::to_string(server.server->port()), settings).state ==
        Session::State::down);

  FaultProxy proxy(server.port);
  const auto broker =
      open_broker(redis_adapter(), "rediss://127.0.0.1:" + std::to_string(proxy.port()), settings);
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

}  // namespace
}  // namespace outbox::test
