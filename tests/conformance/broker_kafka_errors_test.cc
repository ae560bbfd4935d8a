// What the adapter makes of each error that brokers answer with, of fatal ones, and of a leader that moves:
// played by librdkafka's mock cluster, and judged by what kcat reads there.
#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/conformance/kafka_reader.h"
#include "tests/support/kafka_mock.h"

namespace outbox::test {
namespace {

struct MockedKafka {
  explicit MockedKafka(int brokers = 1) : cluster(brokers) { cluster.create_topic("order.placed"); }

  [[nodiscard]] std::unique_ptr<Broker> open(Settings settings = {}) const {
    settings.emplace("timeout", Duration(patience / 2));
    return open_broker(kafka_adapter(), "kafka://" + cluster.servers(), settings);
  }
  /// The ids in the topic, in their order.
  [[nodiscard]] std::vector<std::string> ids() const {
    std::vector<std::string> all;
    for (const KafkaRecord& record : read_kafka(cluster.port(), "order.placed"))
      all.push_back(record.message.id());
    return all;
  }

  [[nodiscard]] std::vector<std::string> distinct_ids() const {
    const std::vector<std::string> all = ids();
    const std::set<std::string> distinct(all.begin(), all.end());
    return {distinct.begin(), distinct.end()};
  }

  KafkaMock cluster;
};

std::vector<std::string> ids_from(std::int64_t first, std::int64_t last) {
  std::vector<std::string> ids;
  for (; first <= last; ++first) ids.push_back(uuid_of(first));
  return ids;
}

TEST_CASE("kafka, errors: what librdkafka sends again is accepted, and there once") {
  for (const int error :
       {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR}) {
    CAPTURE(error);
    MockedKafka kafka;
    const auto broker = kafka.open();
    Driver driver(*broker);
    REQUIRE(driver.connect().state == Session::State::up);
    kafka.cluster.answer_produce({error, error});
    // One alone: of several the mock would take a later one first, which no broker does.
    CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
    CHECK(kafka.ids() == ids_from(1, 1));
  }
}

TEST_CASE("kafka, errors: a refusal is the message's or the topic's, and the next session goes on") {
  struct Case {
    int error;
    Verdict verdict;
    std::string says;
  };
  const std::vector<Case> cases = {
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Verdict::misconfigured, "Write and Describe"},
      {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, Verdict::misconfigured, "IdempotentWrite"},
      {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Verdict::misconfigured, ""},
      {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Verdict::misconfigured, "clock"},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Verdict::rejected, "max.message.bytes"},
      {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Verdict::rejected, "max.message.bytes"},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, Verdict::rejected, "without a key"},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, Verdict::rejected, ""},
      {RD_KAFKA_RESP_ERR_INVALID_CONFIG, Verdict::retry, ""},  // none that a producer should meet
  };
  for (const Case& one : cases) {
    CAPTURE(one.error);
    MockedKafka kafka;
    const auto broker = kafka.open();
    Driver driver(*broker);
    REQUIRE(driver.connect().state == Session::State::up);
    kafka.cluster.answer_produce({one.error});
    const Delivery delivery = delivery_of(driver.publish(rows_of(1)), 1);
    CHECK(delivery.verdict == one.verdict);
    CHECK_MESSAGE(delivery.reason.find("order.placed") != std::string::npos, delivery.reason);
    CHECK_MESSAGE(delivery.reason.find(one.says) != std::string::npos, delivery.reason);
    REQUIRE(driver.connect().state == Session::State::up);  // the old one may outlive it or not
    CHECK(count(driver.publish(rows_of(2), 2), Verdict::accepted) == 1);
    CHECK(kafka.ids() == ids_from(2, 2));
  }
}

TEST_CASE("kafka, errors: a fatal one ends the session, and a new one sends what was not accepted") {
  for (const int error :
       {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH}) {
    CAPTURE(error);
    MockedKafka kafka;
    const auto broker = kafka.open();
    Driver driver(*broker);
    CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
    kafka.cluster.answer_produce(std::vector<int>(20, error));  // as a broker that checks what follows
    const Rows rows = rows_of(20);
    driver.submit(rows.submissions(2));
    const auto deliveries = driver.deliveries();
    CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 19);
    CHECK(driver.session().state == Session::State::down);
    kafka.cluster.answer_produce({});
    CHECK(count(driver.publish(rows, 2), Verdict::accepted) == 19);
    CHECK(kafka.ids() == ids_from(1, 20));
  }
}

TEST_CASE("kafka, errors: who may not write at all is misconfigured") {
  MockedKafka kafka;
  kafka.cluster.answer_init_producer_id({RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
  const auto broker = kafka.open();
  Driver driver(*broker);
  Session session = driver.connect();
  if (session.state == Session::State::up) {
    const Rows rows = rows_of(1);
    driver.submit(rows.submissions());
    CHECK(count(driver.deliveries(), Verdict::accepted) == 0);
    session = driver.session();
  }
  CHECK(session.state == Session::State::misconfigured);
}

TEST_CASE("kafka, errors: in a partition that is new to the producer only what has an offset is accepted") {
  MockedKafka kafka;
  const auto broker = kafka.open({{"batch_bytes", std::int64_t{1000}}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  kafka.cluster.delay(1, 200);
  kafka.cluster.answer_produce({RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
  Rows rows;  // each in a request of its own, all of them on the way at once
  for (int i = 0; i < 5; ++i) rows.add({.payload = std::string(900, 'x')});
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  const auto there = kafka.distinct_ids();
  CHECK(deliveries.size() == 5);
  CHECK(count(deliveries, Verdict::accepted) > 0);
  for (const Delivery& delivery : deliveries)
    if (delivery.verdict == Verdict::accepted)
      CHECK(std::ranges::count(there, uuid_of(static_cast<std::int64_t>(delivery.ticket))) == 1);
}

TEST_CASE("kafka, errors: the leader moves, and a broker goes, in the middle of many messages") {
  MockedKafka kafka(3);
  kafka.cluster.set_leader("order.placed", 0, 1);
  const auto broker = kafka.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  Rows rows;
  for (int i = 0; i < 300; ++i) rows.add({.key = "one"});
  const auto all = rows.submissions();
  std::size_t accepted = 0;
  for (std::size_t sent = 0; sent < all.size(); sent += 10) {
    driver.submit(std::span(all).subspan(sent, 10));
    if (sent == 100) kafka.cluster.set_leader("order.placed", 0, 2);
    if (sent == 200) {
      kafka.cluster.set_leader("order.placed", 0, 3);
      kafka.cluster.set_down(2, true);
    }
    accepted += count(driver.deliveries(), Verdict::accepted);
  }
  CHECK(accepted == 300);
  CHECK(kafka.ids() == ids_from(1, 300));
}

}  // namespace
}  // namespace outbox::test
