// amqps://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/amqp_reader.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/rabbitmq_server.h"

namespace outbox::test {
namespace {

/// Signed by the server's certificate, which is the authority of all here.
struct RelayCertificate {
  explicit RelayCertificate(const Certificate& authority) {
    must({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
          request, "-subj", "/CN=relay"});
    must({"x509", "-req", "-in", request, "-CA", authority.file, "-CAkey", authority.key, "-CAcreateserial",
          "-out", file, "-days", "2"});
  }
  static void must(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const Finished made = run(std::move(arguments));
    if (made.exit_code != 0) throw std::runtime_error("openssl made no certificate:\n" + made.output);
  }

  TempDir directory;
  std::string file = directory / "relay.pem", key = directory / "relay.key",
              request = directory / "relay.csr";
};

class TlsRabbitmq {
 public:
  TlsRabbitmq() {
    AmqpReader(server.url()).command({"queue", "order.placed", "classic"});
    server.control({"add_user", "CN=relay", "unused"});
    server.control({"set_permissions", "CN=relay", "^$", ".*", "^$"});
  }
  [[nodiscard]] std::string url(const std::string& login, int port) const {
    return "amqps://" + login + "127.0.0.1:" + std::to_string(port);
  }

  Certificate certificate;
  RelayCertificate relay{certificate};
  RabbitmqServer server{{.settings = {"auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = EXTERNAL"},
                         .certificate = certificate.file,
                         .key = certificate.key,
                         .plugins = {"rabbitmq_auth_mechanism_ssl"}}};
};

TlsRabbitmq& rabbitmq() {
  static TlsRabbitmq one;
  return one;
}

TEST_CASE("amqps:") {
  TlsRabbitmq& server = rabbitmq();
  broker_tls_suite(amqp_adapter(),
                   {server.url("guest:guest@", server.server.tls_port()), server.certificate.file,
                    server.url("guest:guest@", server.server.port())});
}

TEST_CASE("amqps: a certificate of the relay's own is its login, and large messages arrive whole") {
  TlsRabbitmq& server = rabbitmq();
  AmqpReader(server.server.url()).command({"purge", "order.placed"});
  const auto broker = open_broker(amqp_adapter(), server.url("", server.server.tls_port()),
                                  {{"ca_file", server.certificate.file},
                                   {"cert_file", server.relay.file},
                                   {"key_file", server.relay.key}});
  CHECK(count(Driver(*broker).publish(rows_of(30, 1 << 20)), Verdict::accepted) == 30);
  const auto messages = AmqpReader(server.server.url()).take("order.placed");
  CHECK(messages.size() == 30);
  for (const AmqpReceived& message : messages) CHECK(message.received.payload == std::string(1 << 20, 'x'));
}

TEST_CASE("amqps: a host that vanishes blocks nobody, and what was in flight is in doubt") {
  TlsRabbitmq& server = rabbitmq();
  FaultProxy proxy(server.server.tls_port());
  Settings settings = impatient();
  settings.emplace("ca_file", server.certificate.file);
  const auto broker = open_broker(amqp_adapter(), server.url("guest:guest@", proxy.port()), settings);
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.half_open(true);
  const Rows rows = rows_of(150, 200000);  // far more than the sockets' buffers take
  const auto start = std::chrono::steady_clock::now();
  driver.submit(rows.submissions());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(1400));
  const auto deliveries = driver.deliveries();
  CHECK(deliveries.front().verdict == Verdict::in_doubt);
  CHECK(deliveries.back().verdict == Verdict::unavailable);
  CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 150);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  proxy.cut();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 150);
}

}  // namespace
}  // namespace outbox::test
