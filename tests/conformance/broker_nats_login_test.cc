// Who may do what: logins, permissions, TLS, and what `outboxd check` says of a NATS server.
#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "tests/conformance/nats_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/free_port.h"
#include "tests/support/nats_keys.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

using Json = NatsReader::Json;

std::string at(const std::string& login, const NatsServer& server) {
  return "nats://" + login + "@127.0.0.1:" + std::to_string(server.port());
}

Session session_of(const std::string& url, const Settings& settings = {}) {
  return Driver(*open_broker(nats_adapter(), url, settings)).connect();
}

std::string directory_file(const TempDir& directory, const std::string& name, const std::string& text) {
  std::ofstream(directory / name) << text;
  return directory / name;
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
  { user: deaf, password: deaf, permissions: { publish: ["a"], subscribe: ["mine.>"] } } ] })";

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
    restart_with("tls { " + files_ + " }");
  }
  void want_certificates() {
    restart_with("tls { " + files_ + ", ca_file: \"" + certificate.file + "\", verify: true }");
  }

  const Certificate certificate;

 private:
  const std::string files_ = "cert_file: \"" + certificate.file + "\", key_file: \"" + certificate.key + "\"";
};

TEST_CASE("tls:") {
  SecureServer server;
  NatsServer plain;
  const auto url = [](int port) { return "tls://127.0.0.1:" + std::to_string(port); };
  broker_tls_suite(nats_adapter(), {.url = url,
                                    .port = server.port(),
                                    .plain_port = plain.port(),
                                    .certificate = server.certificate.file,
                                    .relay_certificate = server.certificate.file,
                                    .relay_key = server.certificate.key,
                                    .strict_url = [&] {
                                      server.want_certificates();
                                      return url(server.port());
                                    }});
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

TEST_CASE("nats: check tells what is well with a stream, and what makes its acknowledgements weak") {
  NatsServer server;
  NatsReader reader(server.port());
  reader.create_stream("ORDERS", {"order.>"});
  const CheckReport orders(nats_adapter(), server.url(), {"order.placed", "order.paid"});
  CHECK(orders.of("1048576 bytes") == "ok");
  CHECK(orders.of("JetStream is on") == "ok");
  CHECK(orders.of("topic 'order.paid' goes to stream 'ORDERS'") == "ok");
  CHECK(orders.of("for 120 s (duplicate_window)") == "ok");
  CHECK(orders.of("has 1 replica") == "warning");
  for (const Finding& finding : orders.all()) CHECK(finding.level != Finding::Level::fault);

  reader.create_stream("MEMORY", {"memory"},
                       {{"storage", "memory"}, {"max_msg_size", 2000}, {"max_msgs", 10}, {"discard", "new"}});
  const CheckReport memory(nats_adapter(), server.url(), {"memory"});
  CHECK(memory.of("is kept in memory") == "warning");
  CHECK(memory.of("more than 2000 bytes") == "warning");
  CHECK(memory.of("max_msgs 10): when they are reached it takes nothing more") == "ok");
  reader.create_stream("MUTE", {"mute"}, {{"no_ack", true}});
  CHECK(CheckReport(nats_adapter(), server.url(), {"mute"}).of("acknowledges nothing") == "fault");
}

TEST_CASE("nats: check tells of topics without a stream, no JetStream, no right to look and no server") {
  NatsServer server({.more = R"(authorization { users = [
    { user: shop, password: shop, permissions: { publish: ["a"] } }
    { user: admin, password: admin } ] })"});
  CHECK(CheckReport(nats_adapter(), at("admin:admin", server), {"nowhere", "a b"})
            .of("no stream takes topic 'nowhere'") == "fault");
  CHECK(
      CheckReport(nats_adapter(), at("admin:admin", server), {"a b"}).of("topic 'a b' is no NATS subject") ==
      "fault");
  CHECK(CheckReport(nats_adapter(), at("shop:shop", server), {"a"}).of("may not publish to $JS.API.INFO") ==
        "warning");
  CHECK(CheckReport(nats_adapter(), at("shop:wrong", server), {"a"}).of("the login was refused") == "fault");
  NatsServer none({.has_jetstream = false});
  CHECK(CheckReport(nats_adapter(), none.url(), {"a"}).of("JetStream") == "fault");
  CHECK(
      CheckReport(nats_adapter(), "nats://127.0.0.1:" + std::to_string(free_port()), {"a"}).of("127.0.0.1") ==
      "fault");
}

}  // namespace
}  // namespace outbox::test
