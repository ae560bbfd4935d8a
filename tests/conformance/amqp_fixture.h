// RabbitMQ, as the suites see it: one server for all tests of a program. Stays in its test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/amqp_reader.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/amqp_server.h"

namespace outbox::test {

/// The exchange "events" has everything go to the queue "all", the exchange "topics" what begins with
/// "order.".
class AmqpFixture : public ServerFixture {
 public:
  AmqpFixture() {
    server().start();
    // Once: RabbitMQ writes down only after a while that a queue exists, and kill -9 would take a young one
    // along.
    static const bool is_prepared = [] {
      reader().command({"exchange", "events", "fanout", "--",      "exchange", "topics", "topic",
                        "--",       "queue",  "all",    "classic", "--",       "bind",   "all",
                        "events",   "",       "--",     "bind",    "all",      "topics", "order.#"});
      return true;
    }();
    (void)is_prepared;
    reader().command({"purge", "all"});
  }
  ~AmqpFixture() override {
    if (has_rights_) server().control({"clear_topic_permissions", "guest"});
  }

  [[nodiscard]] BrokerAdapter adapter() const override { return amqp_adapter(); }
  [[nodiscard]] int port() const override { return server().port(); }
  [[nodiscard]] std::string url(int port) const override { return url_of("guest:guest@", port); }
  [[nodiscard]] static std::string url_of(const std::string& login, int port) {
    return "amqp://" + login + "127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] Settings settings() const override { return {{"exchange", exchange_}}; }
  void kill() override { server().kill(); }
  void start() override { server().start(); }
  void freeze() override { server().freeze(); }
  void thaw() override { server().thaw(); }
  [[nodiscard]] std::chrono::seconds restart_time() const override { return patience; }
  std::vector<Received> received() override {
    for (AmqpReceived& message : reader().take("all")) received_.push_back(std::move(message.received));
    return received_;
  }

  [[nodiscard]] bool carries_topic(std::string_view topic) const override { return topic.size() <= 255; }
  [[nodiscard]] bool carries_header_name(std::string_view name) const override { return name.size() <= 255; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> reserved_headers() const override {
    return {{"cloudEvents_id", ""}, {"cloudEvents:id", ""}, {"message_key", ""}, {"CC", ""}, {"BCC", ""}};
  }
  [[nodiscard]] std::vector<std::string> free_headers() const override { return {"cc", "x-delay"}; }
  [[nodiscard]] std::string example_url() const override { return "amqp://user:password@localhost:5672"; }
  [[nodiscard]] std::optional<IdleWatch> idle_watch() const override {
    return IdleWatch{{{"heartbeat", Duration(std::chrono::seconds(1))}}, "no sign of life within 2 s"};
  }

  std::optional<TurnedAway> forbidden_topic() override {
    exchange_ = "topics";
    has_rights_ = true;
    server().control({"set_topic_permissions", "guest", "topics", "^order[.].*", ".*"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "ACCESS_REFUSED"};
  }
  std::optional<TurnedAway> unknown_topic() override {
    exchange_ = "topics";
    return TurnedAway{{.topic = "unknown"}, Verdict::misconfigured, "no queue is bound to exchange 'topics'"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(2'000'001, 'x')}, Verdict::rejected, "PRECONDITION_FAILED"};
  }
  std::vector<RefusedLogin> refused_logins() override {
    return {{url_of("guest:wrong-secret@", port()), "ACCESS_REFUSED"},
            {url_of("guest:guest@", port()) + "/no%2Fsuch", "vhost no/such not found"}};
  }

  static RabbitmqServer& server() {
    static RabbitmqServer one{{.settings = {"max_message_size = 2000000"}}};
    return one;
  }
  static AmqpReader reader() { return AmqpReader(server().url()); }

 private:
  std::string exchange_ = "events";
  std::vector<Received> received_;
  bool has_rights_ = false;
};

}  // namespace outbox::test
