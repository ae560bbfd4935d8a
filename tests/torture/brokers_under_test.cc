// Brokers whose library is not there have neither adapter nor fixture.
#include <string>

#include "tests/support/amqp_server.h"
#include "tests/support/kafka_server.h"
#include "tests/support/nats_server.h"
#include "tests/support/redis_server.h"
#include "tests/torture/amqp_consumer.h"
#include "tests/torture/kafka_consumer.h"
#include "tests/torture/nats_consumer.h"
#include "tests/torture/server_under_test.h"

namespace outbox::test {
namespace {

using Cuts = BrokerUnderTest::Cuts;

std::unique_ptr<BrokerUnderTest> redis() {
  // What is accepted is on the disk.
  return std::make_unique<ServerUnderTest<RedisServer, RedisConsumer>>(
      "redis", Cuts{}, RedisOptions{.append_fsync = "always"});
}

#if HAS_NATS
std::unique_ptr<BrokerUnderTest> nats() {
  return std::make_unique<ServerUnderTest<NatsServer, NatsConsumer>>("nats",
                                                                     Cuts{.bytes_max = 1200, .step = 12});
}
#else
constexpr MakeBroker nats = nullptr;
#endif

#if HAS_AMQP
class RabbitmqUnderTest : public ServerUnderTest<RabbitmqServer, AmqpConsumer> {
 public:
  RabbitmqUnderTest() : ServerUnderTest("amqp", {.bytes_max = 1000, .step = 10}) {}
  [[nodiscard]] std::unique_ptr<Consumer> consumer(int relay_port) override {
    auto consumer = ServerUnderTest::consumer(relay_port);
    server_.write_down_queues();
    return consumer;
  }
};

std::unique_ptr<BrokerUnderTest> rabbitmq() {
  return std::make_unique<RabbitmqUnderTest>();
}
#else
constexpr MakeBroker rabbitmq = nullptr;
#endif

#if HAS_KAFKA
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

std::unique_ptr<BrokerUnderTest> kafka() {
  return std::make_unique<KafkaUnderTest>();
}
#else
constexpr MakeBroker kafka = nullptr;
#endif

}  // namespace

std::string TestedBroker::missing() const {
  return make ? server_missing(server) : "built without its library";
}

const std::vector<TestedBroker>& tested_brokers() {
  static const std::vector<TestedBroker> all = {
      {"redis", "Redis", "appendfsync always", "redis", redis, {200, 10, 20, 2}, {2500, 30, 50, 3}},
      {"nats", "NATS", "JetStream in files", "nats", nats, {100, 3, 10, 2}, {500, 10, 50, 3}},
      {"rabbitmq", "RabbitMQ", "a durable queue", "amqp", rabbitmq, {100, 2, 25, 2}, {500, 10, 125, 2}},
      {"kafka",
       "Kafka",
       "one server, acknowledged by all",
       "kafka",
       kafka,
       {100, 2, 25, 2},
       {500, 10, 125, 2}}};
  return all;
}

}  // namespace outbox::test
