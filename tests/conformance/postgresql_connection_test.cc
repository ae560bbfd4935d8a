// How the adapter reaches its server, and what it does when that does not answer.
#include "adapters/stores/postgresql/connection.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/host_addresses.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;
using postgresql::Connection;
using postgresql::connection_settings;
using postgresql::value_of;

std::vector<SocketAddress> addresses(const std::vector<const char*>& numbers) {
  std::vector<SocketAddress> result;
  for (const char* const number : numbers) result.push_back(look_up(number, 0).value().front());
  return result;
}

}  // namespace

TEST_CASE("PostgreSQL: hosts are given with all their addresses, and keep their names and ports") {
  const auto settings =
      connection_settings("postgresql://a.example:1,%2Frun%2Fsocket:2,b.example:3,c.example:4/d");
  REQUIRE(settings);
  REQUIRE(postgresql::unknown_hosts(*settings).size() == 3);
  const auto filled = postgresql::filled_in(
      *settings,
      {addresses({"10.0.0.1", "fd00::1"}), Error{Fault::unavailable, "unknown"}, addresses({"10.0.0.3"})});
  REQUIRE(filled);
  CHECK(value_of(*filled, "host") == "a.example,a.example,/run/socket,c.example");
  CHECK(value_of(*filled, "hostaddr") == "10.0.0.1,fd00::1,,10.0.0.3");
  CHECK(value_of(*filled, "port") == "1,1,2,4");
  CHECK(value_of(*filled, "dbname") == "d");
}

TEST_CASE("PostgreSQL: nobody is asked for a socket or where the addresses are given") {
  for (const char* url : {"postgresql:///d?host=/run/postgresql", "postgresql://a/d?hostaddr=10.0.0.1"}) {
    CAPTURE(url);
    const auto settings = connection_settings(url);
    REQUIRE(settings);
    CHECK(postgresql::unknown_hosts(*settings).empty());
    CHECK(*postgresql::with_addresses(*settings) == *settings);
  }
}

TEST_CASE("PostgreSQL: a host that nobody knows is said so") {
  const auto connection = Connection::open(*connection_settings("postgresql://host.invalid/orders"));
  REQUIRE_FALSE(connection);
  CHECK(connection.error().fault == Fault::unavailable);
  CHECK(connection.error().text.find("could not translate host name \"host.invalid\"") != std::string::npos);
}

TEST_CASE("PostgreSQL: a cancellation that the network swallows ends the session, and not the relay") {
  PostgresqlFixture fixture;
  FaultProxy proxy(PostgresqlServer::shared().port());
  auto settings = *connection_settings(fixture.url);
  std::erase_if(settings, [](const auto& each) { return each.first == "host" || each.first == "port"; });
  settings.insert(settings.end(), {{"host", "127.0.0.1"}, {"port", std::to_string(proxy.port())}});
  const auto connection = Connection::open(settings);
  REQUIRE(connection);
  REQUIRE((*connection)->prepare("many", "SELECT generate_series(1, 10000000)"));
  REQUIRE((*connection)->start("read", "many", {}));
  REQUIRE((*connection)->next("read"));
  proxy.half_open(true);
  const auto begun = std::chrono::steady_clock::now();
  CHECK_FALSE((*connection)->abandon("read"));
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  CHECK((*connection)->lost());
}

}  // namespace outbox::test
