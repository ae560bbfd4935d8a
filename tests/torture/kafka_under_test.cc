#include "tests/support/kafka_server.h"
#include "tests/support/process.h"
#include "tests/torture/kafka_consumer.h"
#include "tests/torture/server_under_test.h"

namespace outbox::test {
namespace {

class KafkaUnderTest : public ServerUnderTest<KafkaServer, KafkaConsumer> {
 public:
  KafkaUnderTest() : ServerUnderTest("kafka", {.bytes_max = 1500, .step = 15}, options()) {
    // Stored uncompressed, whatever the relay does: the consumer needs no library for it.
    server_.admin().create_topic("orders", KafkaConsumer::partitions, {{"compression.type", "uncompressed"}});
  }
  /// A server that comes back waits until the one that was killed is taken for dead.
  static KafkaOptions options() {
    return {.settings = {"broker.session.timeout.ms=1000", "broker.heartbeat.interval.ms=250"}};
  }
  [[nodiscard]] int proxied_port() const override { return server_.proxied_port(); }
  [[nodiscard]] int proxy_port() const override { return server_.proxy_port(); }
};

}  // namespace

std::unique_ptr<BrokerUnderTest> kafka_under_test() {
  return std::make_unique<KafkaUnderTest>();
}

std::string kafka_missing() {
  const Finished fetched = run({OUTBOX_SOURCE_DIR "/scripts/kafka"}, {}, 5 * patience);
  return fetched.exit_code == 0 ? "" : "scripts/kafka failed: " + fetched.output;
}

}  // namespace outbox::test
