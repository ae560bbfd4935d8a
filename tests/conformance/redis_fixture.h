// A Redis server of its own, as the suites see it. Stays in its test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/redis_server.h"

namespace outbox::test {

class RedisFixture : public ServerFixture {
 public:
  [[nodiscard]] BrokerAdapter adapter() const override { return redis_adapter(); }
  [[nodiscard]] int port() const override { return server.port(); }
  [[nodiscard]] std::string url(int port) const override { return url_of(":right-s%253A%40cret", port); }
  [[nodiscard]] std::string url_of(const std::string& login, int port) const {
    return "redis://" + login + "@127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] Settings settings() const override { return {{"create_streams", creates_streams_}}; }
  void kill() override { server.kill(); }
  void start() override { server.start(); }
  void freeze() override { server.freeze(); }
  void thaw() override { server.thaw(); }
  std::vector<Received> received() override { return reader().streams(); }
  [[nodiscard]] RedisReader reader() const { return RedisReader(port(), password); }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> reserved_headers() const override {
    return {{"ce_id", "header 'ce_id' has a reserved name: it begins with 'ce_'"},
            {"data", ""},
            {"content-type", ""}};
  }
  [[nodiscard]] std::vector<std::string> free_headers() const override { return {"ce", "Data"}; }
  [[nodiscard]] bool has_structured_mode() const override { return false; }
  [[nodiscard]] std::string example_url() const override { return "redis://localhost:6379"; }
  /// "$15\r\n<13 digits>-0\r\n" has 22.
  [[nodiscard]] std::optional<AnswerBytes> answer_bytes() const override { return AnswerBytes{21, 25, true}; }

  std::optional<TurnedAway> forbidden_topic() override {
    reader().command({"ACL", "SETUSER", "default", "resetkeys", "~order.*"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "NOPERM"};
  }
  std::optional<TurnedAway> unknown_topic() override {
    creates_streams_ = false;
    create_topic("order.placed");
    return TurnedAway{
        {.topic = "unknown"},
        Verdict::misconfigured,
        "redis: XADD to 'unknown': stream does not exist; create it or set create_streams = true"};
  }
  bool create_topic(const std::string& topic) override {
    reader().command({"XGROUP", "CREATE", topic, "group", "$", "MKSTREAM"});
    return true;
  }
  std::vector<RefusedLogin> refused_logins() override {
    return {{url_of(":wrong-secret", port()), "WRONGPASS"},
            {url_of("nobody:wrong-secret", port())},
            {"redis://127.0.0.1:" + std::to_string(port()), "give user and password in the route's URL"}};
  }

  static constexpr const char* password = "right-s%3A@cret";
  RedisServer server{{.append_fsync = "always", .password = password}};

 private:
  bool creates_streams_ = true;
};

}  // namespace outbox::test
