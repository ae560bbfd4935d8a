#include <doctest/doctest.h>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"

namespace outbox::test {
namespace {

class NullFixture : public BrokerFixture {
 public:
  std::unique_ptr<Broker> open(Attributes attributes) override {
    return open_broker(null_adapter(), "null:", {}, attributes);
  }
  std::vector<Received> received() override { return {}; }
  [[nodiscard]] bool keeps() const override { return false; }
};

TEST_CASE("null:") {
  NullFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("null: takes nothing after the scheme") {
  const auto opened = null_adapter().open({"null:/dev/null", "", Attributes::full, {}});
  REQUIRE(!opened);
  CHECK(opened.error().fault == Fault::misconfigured);
}

}  // namespace
}  // namespace outbox::test
