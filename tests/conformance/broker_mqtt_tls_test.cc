// mqtts://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "adapters/common/tls.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/certificates.h"
#include "tests/support/free_port.h"
#include "tests/support/mqtt_server.h"

namespace outbox::test {
namespace {

MosquittoOptions with_tls(const Certificate& certificate, int port, const char* wants_certificate) {
  return {.settings = {"listener " + std::to_string(port) + " 127.0.0.1", "certfile " + certificate.file,
                       "keyfile " + certificate.key, "cafile " + certificate.file,
                       std::string("require_certificate ") + wants_certificate}};
}

TEST_CASE("mqtts:") {
  if (!tls_missing(mqtt_server).empty()) return;
  const Certificate certificate;
  const int port = free_port(), strict_port = free_port();
  MosquittoServer server(with_tls(certificate, port, "false"));
  std::optional<MosquittoServer> strict;
  const auto url = [](int at) { return "mqtts://127.0.0.1:" + std::to_string(at); };
  broker_tls_suite(mqtt_adapter(), {.url = url,
                                    .port = port,
                                    .plain_port = server.port(),
                                    .certificate = certificate.file,
                                    .settings = {{"no_subscribers", std::string("accepted")}},
                                    .says_of_silence = "no connection within",
                                    .relay_certificate = certificate.file,
                                    .relay_key = certificate.key,
                                    .strict_url = [&] {
                                      strict.emplace(with_tls(certificate, strict_port, "true"));
                                      return url(strict_port);
                                    }});
}

}  // namespace
}  // namespace outbox::test
