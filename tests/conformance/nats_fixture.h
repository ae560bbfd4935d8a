// What the tests of the nats adapter share: the topics that are subjects, a stream that takes them, and a
// server of its own as the suites see it. Stays in its test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/nats_reader.h"
#include "tests/support/nats_server.h"

namespace outbox::test {

/// Written out once more, beside the adapter's own rules.
inline bool is_nats_subject(std::string_view text) {
  if (text.empty() || text.size() > 3500 || text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != text.npos || text == "*" || text == ">") return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7F') return false;
  return true;
}

/// "ORDERS", for all topics that the suites publish to and that NATS has as subjects.
inline void create_orders(NatsReader& reader, const NatsReader::Json& more = NatsReader::Json::object()) {
  const std::vector<std::string> subjects = {"order.>",
                                             "a",
                                             "b",
                                             "Bestellung/größe",
                                             "größe",
                                             "注文.確定",
                                             "quote\"back\\slash",
                                             "$5",
                                             "a/#",
                                             std::string(300, 'k')};
  reader.create_stream("ORDERS", subjects, more);
}

class NatsFixture : public ServerFixture {
 public:
  explicit NatsFixture(const NatsReader::Json& stream = {{"max_msg_size", 1'044'000}}) {
    reader = std::make_unique<NatsReader>(port(), login());
    create_orders(*reader, stream);
  }
  [[nodiscard]] BrokerAdapter adapter() const override { return nats_adapter(); }
  [[nodiscard]] int port() const override { return server_.port(); }
  [[nodiscard]] std::string url(int port) const override { return url_of("shop:right-s%253A%40cret", port); }
  [[nodiscard]] static std::string url_of(const std::string& login, int port) {
    return "nats://" + login + "@127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] static NatsReader::Json login() { return {{"user", "shop"}, {"pass", "right-s%3A@cret"}}; }
  void kill() override { server_.kill(); }
  void start() override { server_.start(); }
  void freeze() override { server_.freeze(); }
  void thaw() override { server_.thaw(); }
  std::vector<Received> received() override { return NatsReader(port(), login()).streams(); }

  [[nodiscard]] bool carries_topic(std::string_view text) const override { return is_nats_subject(text); }
  [[nodiscard]] bool carries_header_name(std::string_view text) const override { return is_token(text); }
  [[nodiscard]] bool carries_header_value(std::string_view text) const override {
    return is_field_value(text);
  }
  [[nodiscard]] std::size_t payload_max() const override { return 1'040'000; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> reserved_headers() const override {
    return {{"Ce-Id", ""},
            {"Content-Type", "reserved name"},
            {"Nats-Rollup", "header 'Nats-Rollup' has a reserved name: it begins with 'nats-'"},
            {"nats-msg-id", ""}};
  }
  [[nodiscard]] std::vector<std::string> free_headers() const override {
    return {"ce", "NATS", "Same", "same"};
  }
  [[nodiscard]] std::string example_url() const override { return "nats://localhost:4222"; }

  std::optional<TurnedAway> unknown_topic() override {
    return TurnedAway{
        {.topic = "nowhere"},
        Verdict::misconfigured,
        "nats: publish to 'nowhere': no stream takes this subject, or its stream has no leader now; "
        "create one, or add the subject to one (and see that JetStream is on)"};
  }
  bool create_topic(const std::string& topic) override {
    reader->create_stream("LATER", {topic});
    return true;
  }
  std::optional<TurnedAway> forbidden_topic() override {
    return TurnedAway{
        {.topic = "order.forbidden"},
        Verdict::misconfigured,
        R"(nats: publish to 'order.forbidden': the user may not publish to it: Permissions Violation for Publish to "order.forbidden")"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(1'044'500, 'x')},
                      Verdict::rejected,
                      "nats: publish to 'order.placed': message size exceeds maximum allowed (10054)"};
  }
  std::vector<RefusedLogin> refused_logins() override {
    std::vector<RefusedLogin> all = {{"nats://127.0.0.1:" + std::to_string(port())}};
    for (const char* login : {"shop:wrong-secret", "nobody:wrong-secret", "wrong-secret"})
      all.push_back({url_of(login, port()), "the login was refused"});
    return all;
  }

 private:
  NatsServer server_{{.more = R"(
    authorization { users = [ { user: shop, password: "right-s%3A@cret",
                                permissions: { publish: { deny: ["order.forbidden"] } } } ] })"}};

 public:
  std::unique_ptr<NatsReader> reader;
};

}  // namespace outbox::test
