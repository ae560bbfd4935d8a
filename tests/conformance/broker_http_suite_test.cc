// The webhook adapter against what every broker's adapter must do.
#include <doctest/doctest.h>

#include "tests/conformance/http_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("http:") {
  HttpFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("http, faults:") {
  HttpFixture fixture;
  broker_server_suite(fixture);
}

}  // namespace
}  // namespace outbox::test
