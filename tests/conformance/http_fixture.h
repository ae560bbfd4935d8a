// A webhook receiver as the suites see it, read back from what it has written down itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/http_receiver.h"

namespace outbox::test {

/// A request that was answered 2xx, as a consumer reads it. `path`: what comes before the topic.
Received received_of(const WebhookRequest& request, std::string_view path);

class HttpFixture : public ServerFixture {
 public:
  explicit HttpFixture(WebhookOptions options = {.body_max = 4 << 20}) : server(std::move(options)) {}

  [[nodiscard]] BrokerAdapter adapter() const override { return http_adapter(); }
  [[nodiscard]] int port() const override { return server.port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "http://127.0.0.1:" + std::to_string(port) + "/hook";
  }
  std::vector<Received> received() override;
  [[nodiscard]] bool carries_topic(std::string_view topic) const override { return !topic.empty(); }
  [[nodiscard]] bool carries_header_name(std::string_view name) const override { return is_token(name); }
  [[nodiscard]] bool carries_header_value(std::string_view value) const override {
    return is_field_value(value);
  }
  [[nodiscard]] bool is_ordered() const override { return false; }
  [[nodiscard]] bool notices_idle_cut() const override { return false; }
  [[nodiscard]] bool takes_several_hosts() const override { return false; }
  [[nodiscard]] bool knows_what_was_sent() const override { return false; }

  void kill() override { server.kill(); }
  void start() override { server.start(); }
  void freeze() override { server.freeze(); }
  void thaw() override { server.thaw(); }

  std::optional<TurnedAway> unknown_topic() override {
    server.answers({{.path = "/hook/unknown", .status = 404}});
    return TurnedAway{{.topic = "unknown"}, Verdict::misconfigured, "404 Not Found"};
  }
  std::optional<TurnedAway> forbidden_topic() override {
    server.answers({{.path = "/hook/forbidden", .status = 403}});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "403 Forbidden"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(5 << 20, 'x')}, Verdict::rejected, "413 Content Too Large"};
  }

  WebhookServer server;
};

}  // namespace outbox::test
