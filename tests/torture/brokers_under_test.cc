#include <filesystem>
#include <string>

#include "tests/support/nats_server.h"
#include "tests/support/rabbitmq_server.h"
#include "tests/support/redis_server.h"
#include "tests/torture/amqp_consumer.h"
#include "tests/torture/nats_consumer.h"
#include "tests/torture/server_under_test.h"

namespace outbox::test {
namespace {

std::string missing(bool has_library, const std::string& library, const std::string& program) {
  if (!has_library) return "built without " + library;
  return std::filesystem::exists(program) ? "" : program + " is not installed";
}

}  // namespace

std::unique_ptr<BrokerUnderTest> redis_under_test() {
  // What is accepted is on the disk.
  return std::make_unique<ServerUnderTest<RedisServer, RedisConsumer>>(
      "redis", BrokerUnderTest::Cuts{}, RedisOptions{.append_fsync = "always"});
}

std::unique_ptr<BrokerUnderTest> nats_under_test() {
  return std::make_unique<ServerUnderTest<NatsServer, NatsConsumer>>(
      "nats", BrokerUnderTest::Cuts{.bytes_max = 1200, .step = 12});
}

std::unique_ptr<BrokerUnderTest> rabbitmq_under_test() {
  return std::make_unique<ServerUnderTest<RabbitmqServer, AmqpConsumer>>(
      "amqp", BrokerUnderTest::Cuts{.bytes_max = 1000, .step = 10});
}

std::string nats_missing() {
  return missing(HAS_NATS, "libnats-dev", "/usr/sbin/nats-server");
}

std::string rabbitmq_missing() {
  return missing(HAS_RABBITMQ, "librabbitmq-dev", "/usr/lib/rabbitmq/bin/rabbitmq-server");
}

}  // namespace outbox::test
