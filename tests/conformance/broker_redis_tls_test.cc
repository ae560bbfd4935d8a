// rediss://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_tls.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

class TlsRedis {
 public:
  [[nodiscard]] std::string url() const { return "rediss://127.0.0.1:" + std::to_string(port); }

  Certificate certificate;
  int port = free_port();
  RedisServer server{{.arguments = {"--tls-port", std::to_string(port), "--tls-cert-file", certificate.file,
                                    "--tls-key-file", certificate.key, "--tls-ca-cert-file", certificate.file,
                                    "--tls-auth-clients", "optional"}}};
};

TEST_CASE("rediss: a build without TLS refuses the URL and says what is needed") {
  if (RedisTls::missing().empty()) return;
  const auto opened = redis_adapter().open(
      {"rediss://localhost", "", Attributes::full, default_settings(redis_adapter().settings)});
  REQUIRE(!opened);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(opened.error().text.find("hiredis with TLS") != std::string::npos);
}

TEST_CASE("rediss:") {
  if (!RedisTls::missing().empty()) return;
  TlsRedis redis;
  broker_tls_suite(redis_adapter(), {redis.url(), redis.certificate.file,
                                     "rediss://127.0.0.1:" + std::to_string(redis.server.port())});
}

TEST_CASE("rediss: the relay shows a certificate of its own, and sends large messages") {
  if (!RedisTls::missing().empty()) return;
  TlsRedis redis;
  const auto broker = open_broker(redis_adapter(), redis.url(),
                                  {{"ca_file", redis.certificate.file},
                                   {"cert_file", redis.certificate.file},
                                   {"key_file", redis.certificate.key}});
  CHECK(count(Driver(*broker).publish(rows_of(3, 1 << 20)), Verdict::accepted) == 3);
}

TEST_CASE("rediss: messages in flight when the wire is cut are in doubt") {
  if (!RedisTls::missing().empty()) return;
  TlsRedis redis;
  const Settings settings = {{"ca_file", redis.certificate.file},
                             {"connect_timeout", Duration(std::chrono::seconds(1))}};
  FaultProxy proxy(redis.port);
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
