// How the adapter reaches its server, and what it does when that does not answer.
#include "adapters/stores/postgresql/connection.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/stores/postgresql/connection_settings.h"
#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;
using postgresql::Connection;
using postgresql::connection_settings;

}  // namespace

TEST_CASE("PostgreSQL: a URL whose login libpq would take apart in its midst is refused, and no other") {
  for (const char* url : {"postgresql://u:pa@ss@h/d", "postgresql://u:pa/ss@h/d"}) {
    const auto refused = connection_settings(url);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == Fault::misconfigured);
    CHECK(refused.error().text.find("%40") != std::string::npos);
  }
  for (const char* url : {"postgresql://h/d?user=u@realm", "postgresql://u@h/d?application_name=a@b",
                          "postgresql:///d?host=/run/postgresql", "host=h password=a@b/c@d"})
    CHECK_MESSAGE(connection_settings(url), url);
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
