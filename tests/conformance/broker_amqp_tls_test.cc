// amqps://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/amqp_reader.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/amqp_server.h"
#include "tests/support/certificates.h"

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
  Certificate certificate;
  RelayCertificate relay{certificate};
  RabbitmqServer server{{.settings = {"auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = EXTERNAL"},
                         .certificate = certificate.file,
                         .key = certificate.key,
                         .plugins = "rabbitmq_auth_mechanism_ssl"}};
};

TEST_CASE("amqps:") {
  static TlsRabbitmq rabbitmq;
  const AmqpReader reader(rabbitmq.server.url());
  reader.command({"purge", "order.placed"});
  const auto url_of = [](const std::string& login, int port) {
    return "amqps://" + login + "127.0.0.1:" + std::to_string(port);
  };
  broker_tls_suite(amqp_adapter(), {.url = [&](int port) { return url_of("guest:guest@", port); },
                                    .port = rabbitmq.server.tls_port(),
                                    .plain_port = rabbitmq.server.port(),
                                    .certificate = rabbitmq.certificate.file,
                                    .relay_certificate = rabbitmq.relay.file,
                                    .relay_key = rabbitmq.relay.key,
                                    .relay_url = url_of("", rabbitmq.server.tls_port()),
                                    .received =
                                        [&] {
                                          std::vector<Received> all;
                                          for (AmqpReceived& message : reader.take("order.placed"))
                                            all.push_back(std::move(message.received));
                                          return all;
                                        }});
}

}  // namespace
}  // namespace outbox::test
