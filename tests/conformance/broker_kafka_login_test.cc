// kafkas:// and logins: only a server with the right certificate and name is spoken to, and only with the
// right password.
#include <doctest/doctest.h>

#include <string>

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
  broker_tls_suite(kafka_adapter(), {"kafkas://" + address(server().tls_port()), server().certificate().file,
                                     "kafkas://" + address(server().port())});
}

}  // namespace
}  // namespace outbox::test
