// Kafka, as the suites see it: one server for all tests of a program, its topic emptied for each. Stays in
// its test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/kafka_reader.h"
#include "tests/support/kafka_server.h"

namespace outbox::test {

/// The relay logs in as a user who may write to topics that begin with "order.".
class KafkaFixture : public ServerFixture {
 public:
  KafkaFixture() { server().admin().empty_topic("order.placed"); }

  [[nodiscard]] BrokerAdapter adapter() const override { return kafka_adapter(); }
  [[nodiscard]] int port() const override { return server().login_port(); }
  [[nodiscard]] int proxied_port() const override { return server().proxied_port(); }
  [[nodiscard]] int proxy_port() const override { return server().proxy_port(); }
  [[nodiscard]] std::string url(int port) const override { return url_of("outboxd:right-secret@", port); }
  [[nodiscard]] static std::string url_of(const std::string& login, int port) {
    return "kafka://" + login + "127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] bool knows_what_was_sent() const override { return false; }
  void kill() override { server().kill(); }
  void start() override { server().start(); }
  void freeze() override { server().freeze(); }
  void thaw() override { server().thaw(); }
  [[nodiscard]] std::chrono::seconds restart_time() const override { return patience; }

  std::vector<Received> received() override {
    std::vector<Received> messages;
    for (KafkaRecord& record : records()) messages.push_back(std::move(record.message));
    return messages;
  }
  static std::vector<KafkaRecord> records(const std::string& topic = "order.placed") {
    return read_kafka(server().port(), topic);
  }

  [[nodiscard]] bool carries_topic(std::string_view topic) const override {
    return topic == "order.placed" || topic == "a..b";
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> reserved_headers() const override {
    return {{"ce_id", "header 'ce_id' has a reserved name: it begins with 'ce_'"},
            {"CE_Id", ""},
            {"content-type", ""},
            {"Content-Type", ""}};
  }
  [[nodiscard]] std::vector<std::string> free_headers() const override { return {"ce", "ce-id"}; }
  [[nodiscard]] std::string example_url() const override { return "kafka://localhost:9092"; }

  std::optional<TurnedAway> unknown_topic() override {
    return TurnedAway{{.topic = "order.unknown"},
                      Verdict::misconfigured,
                      "kafka: topic 'order.unknown': Broker: Unknown topic or partition; create it"};
  }
  bool create_topic(const std::string& topic) override {
    server().admin().create_topic(topic);
    return true;
  }
  std::optional<TurnedAway> forbidden_topic() override {
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "grant the relay's user Write"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{
        {.payload = std::string(3 << 20, 'x')}, Verdict::rejected, "raise the topic's max.message.bytes"};
  }
  std::vector<RefusedLogin> refused_logins() override {
    std::vector<RefusedLogin> all;
    for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
      all.push_back({url_of("outboxd:wrong-secret@", port()),
                     "uthentication",
                     {{"sasl_mechanism", std::string(mechanism)}}});
    return all;
  }

  static KafkaServer& server() {
    static Ready one;
    return one.server;
  }

 private:
  struct Ready {
    Ready() {
      KafkaAdmin& admin = server.admin();
      admin.create_topic("order.placed", 1, {{"max.message.bytes", "1200000"}});
      admin.create_topic("forbidden");
      for (const char* user : {"outboxd", "CN=broker.test"}) admin.grant(user, "order.", true);
      admin.grant("outboxd", "forbidden", false);
    }
    KafkaServer server{{.has_users = true, .has_tls = true}};
  };
};

}  // namespace outbox::test
