// What can happen to a Kafka server and to the connection to it, played by killing the server and by a proxy
// that spoils the wire.
#include <doctest/doctest.h>

#include "tests/conformance/kafka_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("kafka:") {
  KafkaFixture fixture;
  broker_server_suite(fixture);
}

}  // namespace
}  // namespace outbox::test
