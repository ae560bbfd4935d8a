// Without librdkafka there are neither the adapter nor the tests' server.
#include "tests/torture/broker_under_test.h"

namespace outbox::test {

std::unique_ptr<BrokerUnderTest> kafka_under_test() {
  return nullptr;
}

std::string kafka_missing() {
  return "built without librdkafka-dev";
}

}  // namespace outbox::test
