// Who may do what: logins, permissions, TLS, and what `outboxd check` says of a NATS server.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/nats_fixture.h"
#include "tests/conformance/nats_reader.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/nats_keys.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

using Json = NatsReader::Json;
using Level = Finding::Level;

std::string at(const std::string& login, const NatsServer& server) {
  return "nats://" + login + "@127.0.0.1:" + std::to_string(server.port());
}

Session session_of(const std::string& url, const Settings& settings = {}) {
  return Driver(*open_broker(nats_adapter(), url, settings)).connect();
}

std::vector<Finding> findings_of(const std::string& url, const std::vector<std::string>& topics) {
  const BrokerTarget target{url, "/tests", Attributes::full, default_settings(nats_adapter().settings)};
  return nats_adapter().check(target, topics, std::chrono::seconds(10));
}

bool has(const std::vector<Finding>& findings, Level level, const std::string& text) {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.level == level && finding.what.find(text) != std::string::npos &&
           (level == Level::ok || !finding.fix.empty());
  });
}

std::string directory_file(const TempDir& directory, const std::string& name, const std::string& text) {
  std::ofstream(directory / name) << text;
  return directory / name;
}

TEST_CASE("nats: a user with a password, and no reason shows it") {
  NatsServer server({.more = R"(authorization { user: shop, password: "p%3A@ss" })"});
  NatsReader reader(server.port(), {{"user", "shop"}, {"pass", "p%3A@ss"}});
  create_orders(reader);
  const auto broker = open_broker(nats_adapter(), at("shop:p%253A%40ss", server));
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
  for (const char* login : {"shop:wrong-secret", "nobody:wrong-secret", "wrong-secret"}) {
    const Session wrong = session_of(at(login, server));
    CHECK(wrong.state == Session::State::misconfigured);
    CHECK(wrong.reason.find("the login was refused") != std::string::npos);
    CHECK(wrong.reason.find("secret") == std::string::npos);
  }
  CHECK(session_of(server.url()).state == Session::State::misconfigured);
}

TEST_CASE("nats: a user without a password is a token") {
  NatsServer server({.more = R"(authorization { token: "right-secret" })"});
  NatsReader reader(server.port(), {{"auth_token", "right-secret"}});
  create_orders(reader);
  const auto broker = open_broker(nats_adapter(), at("right-secret", server));
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
  CHECK(session_of(at("wrong-secret", server)).state == Session::State::misconfigured);
}

TEST_CASE("nats: a file of credentials that is not there is named") {
  NatsServer server;
  const Session missing = session_of(server.url(), {{"creds_file", std::string("/nonexistent/user.creds")}});
  CHECK(missing.state == Session::State::misconfigured);
  CHECK_MESSAGE(missing.reason.find("creds_file /nonexistent/user.creds") != std::string::npos,
                missing.reason);
}

TEST_CASE("nats: a file of credentials logs in with its JWT and key, and another account's does not") {
  const NatsAccount ours, other;
  NatsServer server({.more = ours.server_configuration()});
  NatsReader reader(server.port(), {{"jwt", ours.bearer_jwt()}});
  create_orders(reader);
  const TempDir directory;
  const std::string file = directory_file(directory, "user.creds", ours.credentials());
  const auto broker = open_broker(nats_adapter(), server.url(), {{"creds_file", file}});
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
  const std::string wrong = directory_file(directory, "other.creds", other.credentials());
  const Session refused = session_of(server.url(), {{"creds_file", wrong}});
  CHECK(refused.state == Session::State::misconfigured);
  CHECK_MESSAGE(refused.reason.find("the login was refused") != std::string::npos, refused.reason);
  CHECK_MESSAGE(refused.reason.find("SU") == std::string::npos, refused.reason);
  CHECK(session_of(server.url()).state == Session::State::misconfigured);
}

constexpr const char* small_rights = R"(authorization { users = [
  { user: admin, password: admin }
  { user: shop, password: shop, permissions: { publish: ["a", "order.>"], subscribe: ["_INBOX.>"] } }
  { user: deaf, password: deaf, permissions: { publish: ["a"], subscribe: ["mine.>"] } } ] })";

TEST_CASE("nats: a right that is missing hits the subjects it is missing for") {
  NatsServer server({.more = small_rights});
  NatsReader reader(server.port(), {{"user", "admin"}, {"pass", "admin"}});
  create_orders(reader);
  const auto broker = open_broker(nats_adapter(), at("shop:shop", server));
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"a", "b", "a", "b", "order.placed"}));
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(count(deliveries, Verdict::misconfigured) == 2);
  CHECK(delivery_of(deliveries, 2).reason ==
        R"(nats: publish to 'b': the user may not publish to it: Permissions Violation for Publish to "b")");
  CHECK(count(driver.publish(rows_to({"a"})), Verdict::accepted) == 1);
}

TEST_CASE("nats: a user who may not hear acknowledgements is misconfigured, unless in an inbox of its own") {
  NatsServer server({.more = small_rights});
  NatsReader reader(server.port(), {{"user", "admin"}, {"pass", "admin"}});
  create_orders(reader);
  const Session deaf = session_of(at("deaf:deaf", server));
  CHECK(deaf.state == Session::State::misconfigured);
  CHECK_MESSAGE(deaf.reason.find("subscribe to _INBOX.>") != std::string::npos, deaf.reason);
  const auto broker =
      open_broker(nats_adapter(), at("deaf:deaf", server), {{"inbox_prefix", std::string("mine.answers")}});
  CHECK(count(Driver(*broker).publish(rows_to({"a"})), Verdict::accepted) == 1);
}

/// The reader speaks no TLS: the stream is made before the server does.
class SecureServer : public NatsServer {
 public:
  SecureServer() {
    {
      NatsReader reader(port());
      create_orders(reader);
    }
    restart_with("tls { cert_file: \"" + certificate.file + "\", key_file: \"" + certificate.key + "\" }");
  }
  [[nodiscard]] std::string url_at(int other_port) const {
    return "tls://127.0.0.1:" + std::to_string(other_port);
  }

  Certificate certificate;
};

TEST_CASE("tls:") {
  SecureServer server;
  NatsServer plain;
  broker_tls_suite(nats_adapter(),
                   {server.url_at(server.port()), server.certificate.file, server.url_at(plain.port())});
}

TEST_CASE("nats: a server that turns to TLS is verified as one under tls://") {
  SecureServer server;
  CHECK(session_of(server.url(), {{"ca_file", server.certificate.file}}).state == Session::State::up);
  const Session unknown = session_of(server.url());
  CHECK_MESSAGE(unknown.state == Session::State::misconfigured, unknown.reason);
  CHECK(session_of(server.url(),
                   {{"ca_file", server.certificate.file}, {"server_name", std::string("other.test")}})
            .state == Session::State::misconfigured);
}

TEST_CASE("tls: the relay shows a certificate of its own, and sends large messages") {
  SecureServer server;
  server.restart_with("tls { cert_file: \"" + server.certificate.file + "\", key_file: \"" +
                      server.certificate.key + "\", ca_file: \"" + server.certificate.file +
                      "\", verify: true }");
  const Settings trusting = {{"ca_file", server.certificate.file}};
  Settings showing = trusting;
  showing.insert({{"cert_file", server.certificate.file}, {"key_file", server.certificate.key}});
  Rows rows;
  for (int i = 0; i < 20; ++i) rows.add({.topic = "a", .payload = std::string(1000000, 'x')});
  const std::string url = server.url_at(server.port());
  CHECK(count(Driver(*open_broker(nats_adapter(), url, showing)).publish(rows), Verdict::accepted) == 20);
  CHECK(session_of(url, trusting).state != Session::State::up);
}

TEST_CASE("tls: messages in flight when the wire is cut are in doubt") {
  SecureServer server;
  FaultProxy proxy(server.port());
  const auto broker =
      open_broker(nats_adapter(), server.url_at(proxy.port()), {{"ca_file", server.certificate.file}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_to(std::vector<std::string>(10, "a"));
  driver.submit(rows.submissions());
  Answers answers;
  broker->poll(std::chrono::milliseconds(200), answers);
  proxy.cut();
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 10);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 10);
}

TEST_CASE("nats: check tells what is well with a stream, and what makes its acknowledgements weak") {
  NatsServer server;
  NatsReader reader(server.port());
  reader.create_stream("ORDERS", {"order.>"});
  auto findings = findings_of(server.url(), {"order.placed", "order.paid"});
  CHECK(has(findings, Level::ok, "1048576 bytes"));
  CHECK(has(findings, Level::ok, "JetStream is on"));
  CHECK(has(findings, Level::ok, "topic 'order.paid' goes to stream 'ORDERS'"));
  CHECK(has(findings, Level::ok, "for 120 s (duplicate_window)"));
  CHECK(has(findings, Level::warning, "has 1 replica"));
  CHECK(std::ranges::none_of(findings, [](const Finding& finding) { return finding.level == Level::fault; }));

  reader.create_stream("MEMORY", {"memory"},
                       {{"storage", "memory"}, {"max_msg_size", 2000}, {"max_msgs", 10}, {"discard", "new"}});
  findings = findings_of(server.url(), {"memory"});
  CHECK(has(findings, Level::warning, "is kept in memory"));
  CHECK(has(findings, Level::warning, "more than 2000 bytes"));
  CHECK(has(findings, Level::ok, "max_msgs 10): when they are reached it takes nothing more"));
  reader.create_stream("MUTE", {"mute"}, {{"no_ack", true}});
  CHECK(has(findings_of(server.url(), {"mute"}), Level::fault, "acknowledges nothing"));
}

TEST_CASE("nats: check tells of topics without a stream, no JetStream, no right to look and no server") {
  NatsServer server({.more = R"(authorization { users = [
    { user: shop, password: shop, permissions: { publish: ["a"] } }
    { user: admin, password: admin } ] })"});
  CHECK(has(findings_of(at("admin:admin", server), {"nowhere", "a b"}), Level::fault,
            "no stream takes topic 'nowhere'"));
  CHECK(has(findings_of(at("admin:admin", server), {"a b"}), Level::fault, "topic 'a b' is no NATS subject"));
  CHECK(has(findings_of(at("shop:shop", server), {"a"}), Level::warning, "may not publish to $JS.API.INFO"));
  CHECK(has(findings_of(at("shop:wrong", server), {"a"}), Level::fault, "the login was refused"));
  NatsServer none({.has_jetstream = false});
  CHECK(has(findings_of(none.url(), {"a"}), Level::fault, "JetStream"));
  CHECK(
      has(findings_of("nats://127.0.0.1:" + std::to_string(free_port()), {"a"}), Level::fault, "127.0.0.1"));
}

}  // namespace
}  // namespace outbox::test
