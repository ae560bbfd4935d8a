#include <doctest/doctest.h>

#include "tests/conformance/postgresql_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("PostgreSQL") {
  PostgresqlFixture fixture;
  store_suite(fixture);
}

}  // namespace
}  // namespace outbox::test
