// What can happen to a Kafka server and to the connection to it, played by killing the server and by a proxy
// that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/kafka_reader.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/kafka_server.h"

namespace outbox::test {
namespace {

/// One server for all tests of this program, its topic emptied for each.
class KafkaFixture : public ServerFixture {
 public:
  KafkaFixture() { server().admin().empty_topic("order.placed"); }

  [[nodiscard]] BrokerAdapter adapter() const override { return kafka_adapter(); }
  [[nodiscard]] int port() const override { return server().login_port(); }
  [[nodiscard]] int proxied_port() const override { return server().proxied_port(); }
  [[nodiscard]] int proxy_port() const override { return server().proxy_port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "kafka://outboxd:right-secret@127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] bool knows_what_was_sent() const override { return false; }
  void kill() override { server().kill(); }
  void start() override { server().start(); }
  void freeze() override { server().freeze(); }
  void thaw() override { server().thaw(); }
  [[nodiscard]] std::chrono::seconds restart_time() const override { return patience; }

  std::vector<Received> received() override {
    std::vector<Received> messages;
    for (KafkaRecord& record : read_kafka(server().port(), "order.placed"))
      messages.push_back(std::move(record.message));
    return messages;
  }

  std::optional<TurnedAway> unknown_topic() override {
    return TurnedAway{{.topic = "order.unknown"}, Verdict::misconfigured, "create it"};
  }
  std::optional<TurnedAway> forbidden_topic() override {
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "grant the relay's user Write"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(3 << 20, 'x')}, Verdict::rejected, "max.message.bytes"};
  }
  std::string url_with_wrong_password() override {
    return "kafka://outboxd:wrong-secret@127.0.0.1:" + std::to_string(port());
  }

  static KafkaServer& server() {
    static Ready one;
    return one.server;
  }

 private:
  struct Ready {
    Ready() {
      server.admin().create_topic("order.placed", 1, {{"max.message.bytes", "1200000"}});
      server.admin().create_topic("forbidden");
      server.admin().grant("outboxd", "order.", true);
      server.admin().grant("outboxd", "forbidden", false);
    }
    KafkaServer server{{.has_users = true}};
  };
};

TEST_CASE("kafka:") {
  KafkaFixture fixture;
  broker_server_suite(fixture);
}

}  // namespace
}  // namespace outbox::test
