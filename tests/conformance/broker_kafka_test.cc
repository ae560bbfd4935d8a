// What Kafka says, and what the adapter makes of it. broker_kafka_faults_test.cc has what can happen to the
// connection.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/kafka_fixture.h"

namespace outbox::test {
namespace {

TEST_CASE("kafka:") {
  KafkaFixture fixture;
  broker_suite(fixture);
}

constexpr std::size_t too_large = 1300000;

Verdict verdict_of(const std::vector<Delivery>& deliveries, std::int64_t number) {
  return delivery_of(deliveries, number).verdict;
}

/// A topic of one test's own.
class NewTopic {
 public:
  explicit NewTopic(std::string topic, int partitions = 1,
                    std::map<std::string, std::string> configuration = {})
      : name(std::move(topic)) {
    KafkaFixture::server().admin().create_topic(name, partitions, configuration);
  }
  NewTopic(const NewTopic&) = delete;
  NewTopic& operator=(const NewTopic&) = delete;
  ~NewTopic() { KafkaFixture::server().admin().delete_topic(name); }

  const std::string name;
};

TEST_CASE("kafka: the key is the record's key, null without one; no value is null but a tombstone's") {
  KafkaFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add({.key = "order-42"});
  rows.add({.key = ""});
  rows.add({.payload = ""});
  rows.message(rows.add({.payload = ""})).is_tombstone = true;
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 4);
  const auto records = KafkaFixture::records();
  REQUIRE(records.size() == 4);
  CHECK(records[0].key == "order-42");
  CHECK(records[1].key == "");
  CHECK(!records[2].key);
  CHECK(records[2].has_value);
  CHECK(!records[3].has_value);
}

TEST_CASE("kafka: a key's partition is that of Java's producer") {
  KafkaFixture fixture;
  const NewTopic topic("order.partitions", 12);
  Rows rows;
  // Computed with org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey.
  const std::vector<std::pair<std::string, int>> expected = {
      {"42", 4}, {"order-1", 10}, {"order-2", 3}, {"customer/größe", 6}, {"a", 4}, {"the quick brown fox", 1},
      {"", 9}};
  for (const auto& [key, partition] : expected) rows.add({.topic = topic.name, .key = key});
  CHECK(count(Driver(*fixture.open()).publish(rows), Verdict::accepted) == expected.size());
  std::map<std::string, int> found;
  for (const KafkaRecord& record : KafkaFixture::records(topic.name)) found[*record.key] = record.partition;
  for (const auto& [key, partition] : expected) CHECK_MESSAGE(found.at(key) == partition, key);
}

TEST_CASE("kafka: nothing later of a key is accepted before poll() has told of the failure") {
  KafkaFixture fixture;
  // Of a producer that the partition has not seen yet, a broker takes any sequence number: the worst case.
  for (const int before : {0, 1, 300}) {
    const NewTopic topic("order.new-" + std::to_string(before), 1, {{"max.message.bytes", "1200000"}});
    const auto broker = fixture.open();
    Driver driver(*broker);
    Rows rows;
    for (int i = 0; i < before; ++i) rows.add({.topic = topic.name, .key = "one"});
    const std::int64_t bad =
        rows.add({.topic = topic.name, .key = "one", .payload = std::string(too_large, 'x')});
    for (int i = 0; i < 300; ++i) rows.add({.topic = topic.name, .key = "one"});
    REQUIRE(driver.connect().state == Session::State::up);
    const auto all = rows.submissions();
    for (std::size_t i = 0; i < all.size(); i += 3)
      driver.submit(std::span(all).subspan(i, std::min<std::size_t>(3, all.size() - i)));
    const auto deliveries = driver.deliveries();
    CHECK(verdict_of(deliveries, bad) == Verdict::rejected);
    CHECK(count(deliveries, Verdict::accepted) <= static_cast<std::size_t>(before));
    const auto records = KafkaFixture::records(topic.name);
    REQUIRE(records.size() <= static_cast<std::size_t>(before));
    for (std::size_t i = 0; i < records.size(); ++i)
      CHECK(records[i].message.id() == uuid_of(static_cast<std::int64_t>(i) + 1));
    CHECK(driver.session().state == Session::State::down);
    CHECK(count(driver.publish(rows, bad + 1), Verdict::accepted) == 300);
  }
}

TEST_CASE("kafka: a key keeps its order across topics when one of them turns a message away") {
  KafkaFixture fixture;
  const NewTopic paid("order.paid");
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows warm;
  for (const char* topic : {"order.placed", "order.paid"}) warm.add({.topic = topic, .key = "one"});
  CHECK(count(driver.publish(warm), Verdict::accepted) == 2);
  Rows rows;
  rows.add({.key = "one", .payload = std::string(too_large, 'x')});
  rows.add({.topic = paid.name, .key = "one"});
  rows.add({.topic = paid.name, .key = "two"});
  const auto deliveries = driver.publish(rows);
  CHECK(verdict_of(deliveries, 1) == Verdict::rejected);
  CHECK(verdict_of(deliveries, 2) == Verdict::unavailable);
  const auto records = KafkaFixture::records(paid.name);
  CHECK(std::ranges::count(records, "one", [](const KafkaRecord& record) { return *record.key; }) == 1);
}

TEST_CASE("kafka: a key that goes to several topics arrives in each, in order") {
  KafkaFixture fixture;
  const NewTopic paid("order.paid"), sent("order.sent", 3);
  Rows rows;
  for (int i = 0; i < 600; ++i)
    rows.add({.topic = std::vector<std::string>{"order.placed", paid.name, sent.name}[i % 3],
              .key = "key" + std::to_string(i % 7),
              .payload = std::to_string(i)});
  CHECK(count(Driver(*fixture.open()).publish(rows), Verdict::accepted) == 600);
  for (const std::string& topic : {std::string("order.placed"), paid.name, sent.name}) {
    const auto records = KafkaFixture::records(topic);
    CHECK(records.size() == 200);
    std::map<std::string, int> last;
    for (const KafkaRecord& record : records) {
      const int number = std::stoi(record.message.payload);
      CHECK(number >= last[*record.key]);
      last[*record.key] = number;
    }
  }
}

TEST_CASE("kafka: after a message that cannot be carried nothing of its key is sent until poll() has told") {
  KafkaFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  Rows rows;
  rows.add({.key = "one"});
  rows.add({.key = "one", .headers = {{"ce_id", "forged"}}});
  rows.add({.key = "one"});
  rows.add({.key = "two"});
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(verdict_of(deliveries, 1) == Verdict::accepted);
  CHECK(verdict_of(deliveries, 2) == Verdict::rejected);
  CHECK(verdict_of(deliveries, 3) == Verdict::unavailable);
  CHECK(verdict_of(deliveries, 4) == Verdict::accepted);
  CHECK(verdict_of(driver.publish(rows, 3), 3) == Verdict::accepted);
}

TEST_CASE("kafka: a batch that is turned away blames nobody, a message alone is blamed") {
  KafkaFixture fixture;
  const NewTopic topic("order.compacted", 1, {{"cleanup.policy", "compact"}});
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (int i = 0; i < 20; ++i) {
    Row row{.topic = topic.name, .key = "key"};
    if (i == 10) row.key.reset();
    rows.add(row);
  }
  const auto deliveries = driver.publish(rows);
  CHECK(count(deliveries, Verdict::rejected) == 0);
  CHECK(verdict_of(deliveries, 11) == Verdict::in_doubt);
  CHECK(driver.session().state == Session::State::down);
  for (std::int64_t number = 1; number <= 20; ++number) {
    Rows one;
    Row row{.topic = topic.name, .key = "key"};
    if (number == 11) row.key.reset();
    one.add(row);
    const auto alone = driver.publish(one);
    CHECK(alone[0].verdict == (number == 11 ? Verdict::rejected : Verdict::accepted));
    if (number == 11) {
      CHECK(alone[0].reason.find("a compacted topic takes no message without a key") != std::string::npos);
      CHECK(driver.session().state == Session::State::down);
    }
  }
}

TEST_CASE("kafka: a message larger than a batch is in no company and is blamed at once") {
  KafkaFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (int i = 0; i < 50; ++i) rows.add();
  const std::int64_t bad = rows.add({.payload = std::string(too_large, 'x')});
  for (int i = 0; i < 50; ++i) rows.add();
  const auto deliveries = driver.publish(rows);
  CHECK(verdict_of(deliveries, bad) == Verdict::rejected);
  CHECK(delivery_of(deliveries, bad).reason.find("raise the topic's max.message.bytes") != std::string::npos);
  CHECK(count(deliveries, Verdict::rejected) == 1);
}

TEST_CASE("kafka: every compression arrives") {
  KafkaFixture fixture;
  for (const char* compression : {"lz4", "zstd", "snappy", "gzip"}) {
    const auto broker = fixture.open_at(fixture.port(), {{"compression", std::string(compression)}});
    Rows rows;
    for (int i = 0; i < 100; ++i) rows.add({.payload = std::string(1000, 'x')});
    CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 100);
  }
  CHECK(fixture.received().size() == 400);
}

TEST_CASE("kafka: a URL or settings that can never work are refused with the fix") {
  refusal(kafka_adapter(), "kafka://localhost/topic");
  refusal(kafka_adapter(), "kafka://:hidden@localhost");
}

}  // namespace
}  // namespace outbox::test
