// What can happen to a connection to NATS, played by killing the server and by a proxy that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/nats_fixture.h"
#include "tests/conformance/nats_reader.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/nats_server.h"

namespace outbox::test {
namespace {

using Json = NatsReader::Json;

const Json login = {{"user", "shop"}, {"pass", "right-secret"}};

class NatsFixture : public ServerFixture {
 public:
  NatsFixture() {
    NatsReader reader(port(), login);
    create_orders(reader, {{"max_msg_size", 500000}});
  }
  [[nodiscard]] BrokerAdapter adapter() const override { return nats_adapter(); }
  [[nodiscard]] int port() const override { return server_.port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "nats://shop:right-secret@127.0.0.1:" + std::to_string(port);
  }
  void kill() override { server_.kill(); }
  void start() override { server_.start(); }
  void freeze() override { server_.freeze(); }
  void thaw() override { server_.thaw(); }
  std::vector<Received> received() override { return NatsReader(port(), login).streams(); }

  std::optional<TurnedAway> unknown_topic() override {
    return TurnedAway{{.topic = "unknown"}, Verdict::misconfigured, "create one"};
  }
  std::optional<TurnedAway> forbidden_topic() override {
    return TurnedAway{{.topic = "order.forbidden"}, Verdict::misconfigured, "Permissions Violation"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(600000, 'x')}, Verdict::rejected, "exceeds maximum"};
  }
  std::string url_with_wrong_password() override {
    return "nats://shop:wrong-secret@127.0.0.1:" + std::to_string(port());
  }

 private:
  NatsServer server_{{.more = R"(
    authorization { users = [ { user: shop, password: "right-secret",
                                permissions: { publish: { deny: ["order.forbidden"] } } } ] })"}};
};

Rows rows_to_a(int count, std::size_t payload_size = 100) {
  return rows_of(count, payload_size, "a");
}

/// A server without logins and with the stream.
class PlainServer : public NatsServer {
 public:
  PlainServer() {
    NatsReader reader(port());
    create_orders(reader);
  }
};

std::string url_of(int port) {
  return "nats://127.0.0.1:" + std::to_string(port);
}

TEST_CASE("nats:") {
  NatsFixture fixture;
  broker_server_suite(fixture);
}

TEST_CASE("nats: nothing is sent again behind the relay's back when a connection breaks") {
  PlainServer server;
  FaultProxy proxy(server.port());
  const auto broker = open_broker(nats_adapter(), url_of(proxy.port()), impatient());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_to_a(1)), Verdict::accepted) == 1);
  const auto connections = proxy.accepted();
  proxy.cut();
  CHECK(driver.session().state == Session::State::down);
  const Rows rows = rows_to_a(3);
  driver.submit(rows.submissions(2));
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 2);
  CHECK(proxy.accepted() == connections);
  CHECK(NatsReader(server.port()).streams().size() == 1);
}

TEST_CASE("nats: a server that is about to stop gets nothing more, and the session ends") {
  PlainServer server;
  const auto broker = open_broker(nats_adapter(), server.url());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_to_a(1)), Verdict::accepted) == 1);
  server.enter_lame_duck_mode();
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("lame duck") != std::string::npos, session.reason);
}

}  // namespace
}  // namespace outbox::test
