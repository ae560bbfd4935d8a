// What RabbitMQ says, and what the adapter makes of it. broker_amqp_faults_test.cc has what can happen to the
// connection.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "tests/conformance/amqp_fixture.h"

namespace outbox::test {
namespace {

/// To the default exchange: a topic is a queue's name.
std::unique_ptr<Broker> open_default(const Settings& settings = {}) {
  return open_broker(amqp_adapter(), AmqpFixture::server().url(), settings);
}

TEST_CASE("amqp:") {
  AmqpFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("amqp: a message is persistent, and its properties say what the contract says") {
  AmqpFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add({.topic = "order.placed", .key = "42", .type = "com.example.order"});
  rows.add({.type = std::string(300, 't')});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 2);
  const auto messages = AmqpFixture::reader().take("all");
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].delivery_mode == 2);
  CHECK(messages[0].exchange == "events");
  CHECK(messages[0].message_id == uuid_of(1));
  CHECK(messages[0].key_header == "42");
  CHECK(messages[0].type == "com.example.order");
  CHECK(messages[0].timestamp == 1769903999);
  CHECK(messages[1].key_header == "");
  CHECK(messages[1].type == "");
  CHECK(messages[1].received.attributes.at("type") == std::string(300, 't'));
}

TEST_CASE("amqp: attributes have the prefix that is set, and no other header may have it") {
  AmqpFixture fixture;
  const Settings settings = {{"attribute_prefix", std::string("ce-")}};
  const auto broker = fixture.open_at(fixture.port(), settings);
  Rows rows;
  rows.add({.key = "42", .headers = {{"cloudEvents_x", "mine"}}});
  for (const char* name : {"ce-id", "CE-Source"}) rows.add({.headers = {{name, "forged"}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  for (int i : {2, 3}) CHECK(delivery_of(deliveries, i).verdict == Verdict::rejected);
  const auto messages = AmqpFixture::reader().take("all");
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].received.content_type == "application/json");
  CHECK(messages[0].key_header == "42");
  CHECK(messages[0].received.attributes == std::map<std::string, std::string>{{"x", "mine"}});
  CHECK(messages[0].received.headers ==
        std::map<std::string, std::string>{{"ce-id", uuid_of(1)},
                                           {"ce-source", "/tests"},
                                           {"ce-specversion", "1.0"},
                                           {"ce-type", "order.placed"},
                                           {"ce-time", "2026-01-31T23:59:59.000001Z"},
                                           {"ce-subject", "42"},
                                           {"ce-partitionkey", "42"}});
}

TEST_CASE(
    "amqp: to the default exchange a topic is a queue, classic or quorum, and survives with the server") {
  AmqpReader reader = AmqpFixture::reader();
  reader.command({"queue", "classic", "classic", "--", "queue", "quorum", "quorum"});
  AmqpFixture::server().write_down_queues();
  const auto broker = open_default();
  Rows rows;
  for (int i = 0; i < 2000; ++i)
    rows.add({.topic = i % 2 ? "classic" : "quorum", .payload = std::to_string(i)});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 2000);
  AmqpFixture::server().kill();
  AmqpFixture::server().start();
  for (const auto& [queue, first] : {std::pair{"quorum", 0}, std::pair{"classic", 1}}) {
    std::vector<AmqpReceived> messages;
    const auto are_complete = [&] {  // a quorum queue is there a while after the server is
      std::ranges::move(reader.take(queue), std::back_inserter(messages));
      return messages.size() >= 1000;
    };
    REQUIRE(eventually(are_complete));
    REQUIRE(messages.size() == 1000);
    for (int i = 0; i < 1000; ++i)
      CHECK(messages[static_cast<std::size_t>(i)].received.payload == std::to_string(2 * i + first));
  }
}

TEST_CASE("amqp: a message that no queue takes is misconfigured, in the middle of others and alone") {
  AmqpFixture::reader().command({"queue", "a", "classic"});
  const auto broker = open_default();
  Driver driver(*broker);
  std::vector<std::string> topics(100, "a");
  topics[50] = topics[51] = "missing";
  const auto deliveries = driver.publish(rows_to(topics));
  CHECK(count(deliveries, Verdict::accepted) == 98);
  CHECK(delivery_of(deliveries, 51).verdict == Verdict::misconfigured);
  CHECK(delivery_of(deliveries, 52).verdict == Verdict::misconfigured);
  CHECK(delivery_of(deliveries, 51).reason ==
        "amqp: publish to 'missing': there is no such queue; declare it, or name an `exchange`");
  CHECK(driver.publish(rows_to({"missing"}))[0].verdict == Verdict::misconfigured);
  AmqpFixture::reader().command({"queue", "missing", "classic"});
  CHECK(driver.publish(rows_to({"missing"}))[0].verdict == Verdict::accepted);
  AmqpFixture::reader().command({"delete-queue", "missing", "--", "delete-queue", "a"});
}

TEST_CASE("amqp: of messages with one id only the one that no queue takes is blamed") {
  AmqpFixture::reader().command({"queue", "a", "classic"});
  const auto broker = open_default();
  Rows rows = rows_to({"a", "missing", "a"});
  for (int number = 1; number <= 3; ++number) rows.message(number).id = rows.message(1).id;
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(count(deliveries, Verdict::accepted) == 2);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
}

TEST_CASE("amqp: a large message that no queue takes is returned whole, and harms nobody") {
  AmqpFixture::reader().command({"queue", "a", "classic"});
  const auto broker = open_default();
  Rows rows;
  for (int i = 0; i < 20; ++i)
    rows.add({.topic = i % 2 ? "a" : "missing", .payload = std::string(1'500'000, 'x')});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(count(deliveries, Verdict::accepted) == 10);
  CHECK(count(deliveries, Verdict::misconfigured) == 10);
}

TEST_CASE("amqp: a full queue turns away by tag: what it took before is accepted, the rest may try again") {
  AmqpFixture::reader().command({"queue", "a", "classic", "--", "queue", "full", "classic", "x-max-length=10",
                                 "x-overflow=reject-publish"});
  const auto broker = open_default();
  Rows rows;
  for (int i = 0; i < 1000; ++i) rows.add({.topic = i % 2 ? "a" : "full", .payload = std::to_string(i + 1)});
  const auto deliveries = Driver(*broker).publish(rows);
  for (const AmqpReceived& message : AmqpFixture::reader().take("full"))
    CHECK(delivery_of(deliveries, std::stoll(message.received.payload)).verdict == Verdict::accepted);
  for (const AmqpReceived& message : AmqpFixture::reader().take("a"))
    CHECK(delivery_of(deliveries, std::stoll(message.received.payload)).verdict == Verdict::accepted);
  CHECK(count(deliveries, Verdict::accepted) + count(deliveries, Verdict::unavailable) == 1000);
  CHECK(count(deliveries, Verdict::unavailable) >= 400);
  for (const Delivery& delivery : deliveries)
    if (delivery.verdict == Verdict::unavailable) {
      CHECK(delivery.ticket % 2 == 1);
      CHECK(delivery.reason ==
            "amqp: publish to 'full': the server did not take it (basic.nack): its queue is full or not "
            "running");
    }
  AmqpFixture::reader().command({"delete-queue", "full"});
}

TEST_CASE("amqp: what is longer than AMQP's short strings or its frame is rejected with its length") {
  AmqpFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add({.topic = std::string(255, 't'), .headers = {{std::string(255, 'n'), "v"}}});
  rows.add({.topic = std::string(256, 't')});
  rows.add({.content_type = std::string(256, 'c')});
  rows.add({.headers = {{std::string(256, 'n'), "v"}}});
  rows.add({.headers = {{"large", std::string(130'000, 'v')}}});
  rows.add({.headers = {{"large", std::string(140'000, 'v')}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  for (int i : {2, 3, 4, 6}) CHECK(delivery_of(deliveries, i).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason == "the topic takes 256 bytes, AMQP takes at most 255 there");
  CHECK_MESSAGE(delivery_of(deliveries, 5).verdict == Verdict::accepted, delivery_of(deliveries, 5).reason);
  CHECK(delivery_of(deliveries, 6).reason.find("more than the 131072 of one frame") != std::string::npos);
  CHECK(fixture.received().size() == 2);
}

TEST_CASE("amqp: an empty topic has no queue, but an exchange may route it") {
  AmqpFixture fixture;
  CHECK(Driver(*open_default()).publish(rows_to({""}))[0].verdict == Verdict::rejected);
  CHECK(Driver(*fixture.open()).publish(rows_to({""}))[0].verdict == Verdict::accepted);
}

TEST_CASE("amqp: an exchange that does not exist is misconfigured until it does") {
  const auto broker = open_default({{"exchange", std::string("later")}});
  Driver driver(*broker);
  const Session session = driver.connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK_MESSAGE(
      session.reason.find("no exchange 'later' in vhost '/'; declare the exchange") != std::string::npos,
      session.reason);
  AmqpFixture::reader().command({"exchange", "later", "fanout", "--", "bind", "all", "later", ""});
  CHECK(count(driver.publish(rows_to({"a", "b"})), Verdict::accepted) == 2);
  AmqpFixture::reader().command({"delete-exchange", "later"});
  const Rows rows = rows_to({"a"});
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  CHECK(deliveries[0].verdict == Verdict::misconfigured);
  CHECK(deliveries[0].reason == "amqp: publish to 'a': 404 NOT_FOUND - no exchange 'later' in vhost '/'");
  CHECK(driver.session().state == Session::State::down);
  CHECK(driver.connect().state == Session::State::misconfigured);
}

TEST_CASE("amqp: an exchange that vanishes under many messages leaves all of them in doubt") {
  AmqpFixture::reader().command({"exchange", "gone", "fanout", "--", "bind", "all", "gone", ""});
  const auto broker = open_default({{"exchange", std::string("gone")}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  AmqpFixture::reader().command({"delete-exchange", "gone"});
  const Rows rows = rows_to(std::vector<std::string>(20, "a"));
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 20);
  CHECK(driver.session().state == Session::State::down);
}

TEST_CASE("amqp: the virtual host may be named, and the login is guest without one") {
  const int port = AmqpFixture::server().port();
  for (const std::string& url :
       {AmqpFixture::url_of("guest:guest@", port) + "/%2F", AmqpFixture::url_of("", port)})
    CHECK(Driver(*open_broker(amqp_adapter(), url)).connect().state == Session::State::up);
}

CheckReport check(const std::vector<std::string>& topics, const Settings& changed = {},
                  const std::string& url = AmqpFixture::server().url()) {
  return {amqp_adapter(), url, topics, changed};
}

void check_all_ok(const CheckReport& findings) {
  for (const Finding& finding : findings.all())
    CHECK_MESSAGE(finding.level == Finding::Level::ok, finding.what);
}

TEST_CASE("amqp: check finds durable queues, classic and quorum, and leaves them as they are") {
  AmqpFixture::reader().command({"queue", "a", "classic", "--", "queue", "b", "quorum"});
  const CheckReport findings = check({"a", "b"});
  check_all_ok(findings);
  CHECK(findings.about("max_message_size").what.starts_with("amqp: RabbitMQ "));
  CHECK(findings.of("queue 'a' is durable") == "ok");
  CHECK(findings.of("queue 'b' is durable") == "ok");
  CHECK(AmqpFixture::reader().command({"count", "a", "--", "count", "b"}) == "0\n0\n");
}

TEST_CASE("amqp: check names a queue that is missing, and does not make it") {
  for (int i = 0; i < 2; ++i) {
    const Finding finding = check({"nowhere"}).about("'nowhere'");
    CHECK(finding.level == Finding::Level::fault);
    CHECK_MESSAGE(finding.what.find("404 NOT_FOUND") != std::string::npos, finding.what);
  }
}

TEST_CASE("amqp: check warns of a queue that does not survive a restart") {
  AmqpFixture::reader().command({"queue", "fleeting", "transient"});
  const Finding finding = check({"fleeting"}).about("'fleeting'");
  CHECK(finding.level == Finding::Level::warning);
  CHECK_MESSAGE(finding.what.find("is transient") != std::string::npos, finding.what);
  AmqpFixture::reader().command({"delete-queue", "fleeting"});
}

TEST_CASE("amqp: check looks at the exchange") {
  AmqpFixture fixture;
  check_all_ok(check({"a"}, {{"exchange", std::string("events")}}));
  CHECK(check({"a"}, {{"exchange", std::string("nowhere")}}).of("exchange 'nowhere' cannot be used") ==
        "fault");
  CHECK(fixture.received().empty());
}

TEST_CASE("amqp: check names each right that is missing, and publishes nothing") {
  AmqpFixture fixture;
  RabbitmqServer& server = AmqpFixture::server();
  AmqpFixture::reader().command({"queue", "a", "classic"});
  server.control({"add_user", "shop", "p:a/ss"});
  server.control({"set_permissions", "shop", "^$", "^(events|topics)$", "^$"});
  server.control({"set_topic_permissions", "shop", "topics", "^order[.].*", "^$"});
  const std::string url = "amqp://shop:p%3Aa%2Fss@127.0.0.1:" + std::to_string(server.port());
  const auto of_exchange = [&](const std::vector<std::string>& topics, const char* exchange) {
    return check(topics, {{"exchange", std::string(exchange)}}, url);
  };
  check_all_ok(of_exchange({"a", ""}, "events"));
  check_all_ok(of_exchange({}, "topics"));
  const CheckReport findings = of_exchange({"order.placed", "cart.filled"}, "topics");
  const bool tells_topics = server.control({"version"}).starts_with("3.");
  if (tells_topics) CHECK(findings.of("may not publish to 'cart.filled'") == "fault");
  CHECK(std::ranges::count(findings.all(), Finding::Level::fault, &Finding::level) == (tells_topics ? 1 : 0));
  const CheckReport of_default = check({"a"}, {}, url);
  CHECK(of_default.of("may not publish to 'a'") == "fault");
  CHECK(of_default.of("whether it is durable only") == "ok");
  CHECK(fixture.received().empty());
  server.control({"delete_user", "shop"});
}

TEST_CASE("amqp: a URL or settings that can never work are refused with the fix") {
  const BrokerAdapter amqp = amqp_adapter();
  refusal(amqp, "amqp://:hidden@localhost");
  refusal(amqp, "amqp://localhost", {{"exchange", std::string(256, 'x')}});
  refusal(amqp, "amqp://localhost", {{"heartbeat", Duration(std::chrono::milliseconds(1500))}});
}

}  // namespace
}  // namespace outbox::test
