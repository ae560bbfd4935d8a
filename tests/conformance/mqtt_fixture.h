// A mosquitto of its own, as the suites see it. Stays in its test.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/mqtt_reader.h"
#include "tests/support/mqtt_server.h"

namespace outbox::test {

inline bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

class MqttFixture : public ServerFixture {
 public:
  explicit MqttFixture(const std::vector<std::string>& settings = {"max_packet_size 1200000",
                                                                   "max_inflight_messages 1000"})
      : server({.user = "shop",
                .password = "right-secret",
                .rights = {"user shop", "topic readwrite #"},
                .settings = settings}) {}

  [[nodiscard]] BrokerAdapter adapter() const override { return mqtt_adapter(); }
  [[nodiscard]] int port() const override { return server.port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "mqtt://shop:right-secret@127.0.0.1:" + std::to_string(port);
  }
  void kill() override { server.kill(); }
  void start() override {
    server.start();
    reader.await();
  }
  void freeze() override { server.freeze(); }
  void thaw() override { server.thaw(); }
  /// It saves after it has answered.
  [[nodiscard]] bool survives_kill() const override { return false; }
  std::vector<Received> received() override { return reader.received(); }

  [[nodiscard]] bool carries_topic(std::string_view topic) const override {
    return !topic.empty() && !topic.starts_with('$') && topic.size() <= 65535 &&
           topic.find_first_of("+#") == topic.npos && !has_control_character(topic);
  }
  [[nodiscard]] bool carries_header_name(std::string_view name) const override {
    return !has_control_character(name);
  }
  [[nodiscard]] bool carries_header_value(std::string_view value) const override {
    return !has_control_character(value);
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> reserved_headers() const override {
    return {{"id", "header 'id' has a reserved name"}, {"datacontenttype", ""}};
  }
  [[nodiscard]] std::vector<std::string> free_headers() const override { return {"ID", "ce_id"}; }
  [[nodiscard]] std::string example_url() const override { return "mqtt://localhost:1883"; }
  /// A PUBACK without a reason.
  [[nodiscard]] std::optional<AnswerBytes> answer_bytes() const override { return AnswerBytes{4, 4, false}; }
  [[nodiscard]] std::optional<IdleWatch> idle_watch() const override {
    return IdleWatch{{{"keepalive", Duration(std::chrono::seconds(5))}}, "the server is silent"};
  }

  std::optional<TurnedAway> forbidden_topic() override {
    server.change_rights(
        {"user shop", "topic read #", "topic readwrite order.placed", "topic readwrite mark-of-the-test"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "mqtt: PUBLISH to 'forbidden': 0x87"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(1200000, 'x')},
                      Verdict::rejected,
                      "bytes, more than the 1200000 that the server takes"};
  }
  std::vector<RefusedLogin> refused_logins() override {
    return {{"mqtt://shop:wrong-secret@127.0.0.1:" + std::to_string(port()), "0x87"}};
  }

  MosquittoServer server;
  MqttReader reader{server};
};

}  // namespace outbox::test
