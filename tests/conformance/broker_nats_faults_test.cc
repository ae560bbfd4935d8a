// What can happen to a connection to NATS, played by killing the server and by a proxy that spoils the wire.
#include <doctest/doctest.h>

#include "tests/conformance/nats_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("nats:") {
  NatsFixture fixture;
  broker_server_suite(fixture);
}

TEST_CASE("nats: a server that is about to stop gets nothing more, and the session ends") {
  NatsServer server;
  NatsReader reader(server.port());
  create_orders(reader);
  const auto broker = open_broker(nats_adapter(), server.url());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  server.enter_lame_duck_mode();
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("lame duck") != std::string::npos, session.reason);
}

}  // namespace
}  // namespace outbox::test
