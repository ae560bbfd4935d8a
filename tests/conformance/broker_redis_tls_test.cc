// rediss://: only a server with the right certificate and name is spoken to.
#include <doctest/doctest.h>

#include <string>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_settings.h"
#include "adapters/common/tls.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/certificates.h"
#include "tests/support/free_port.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

TEST_CASE("rediss: a build without TLS refuses the URL and says what is needed") {
  if (tls_missing(redis_server).empty()) return;
  CHECK(refusal(redis_adapter(), "rediss://localhost").find("no OpenSSL") != std::string::npos);
}

TEST_CASE("rediss:") {
  if (!tls_missing(redis_server).empty()) return;
  const Certificate certificate;
  const int port = free_port();
  RedisServer server({.arguments = {"--tls-port", std::to_string(port), "--tls-cert-file", certificate.file,
                                    "--tls-key-file", certificate.key, "--tls-ca-cert-file", certificate.file,
                                    "--tls-auth-clients", "optional"}});
  broker_tls_suite(redis_adapter(), {.url = [](int at) { return "rediss://127.0.0.1:" + std::to_string(at); },
                                     .port = port,
                                     .plain_port = server.port(),
                                     .certificate = certificate.file,
                                     .relay_certificate = certificate.file,
                                     .relay_key = certificate.key});
}

}  // namespace
}  // namespace outbox::test
