// What JetStream says, and what the adapter makes of it. broker_nats_faults_test.cc has what can happen to
// the connection.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/conformance/nats_fixture.h"

namespace outbox::test {
namespace {

using Json = NatsReader::Json;

TEST_CASE("nats:") {
  NatsFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("nats: a message that is repeated is accepted again and stored once") {
  NatsFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  const Rows rows = rows_to({"a", "a", "a"});
  for (int i = 0; i < 3; ++i) {
    const auto deliveries = driver.publish(rows);
    CHECK(count(deliveries, Verdict::accepted) == 3);
    CHECK(std::ranges::count(deliveries, i > 0, &Delivery::duplicate) == 3);  // and is told to be one
  }
  CHECK(fixture.received().size() == 3);
}

TEST_CASE("nats: a topic that is no subject, or the server's own, is rejected") {
  NatsFixture fixture;
  const auto broker = fixture.open();
  const std::vector<std::string> topics = {
      "",  ".a",  "a.",    "a..b", "a b",          "a\tb",   "a\rb",     "a\n",
      "*", "a.>", "a.*.b", "\xFF", "$JS.API.INFO", "$SYS.x", "_INBOX.x", std::string(3501, 't')};
  Rows rows = rows_to(topics);
  rows.add({.topic = "order.*x"});  // no wildcard: only a part of its own is one
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(count(deliveries, Verdict::rejected) == topics.size());
  CHECK(delivery_of(deliveries, 4).reason ==
        "'a..b' is no NATS subject: it has an empty part between its dots");
  CHECK(delivery_of(deliveries, 13).reason == "'$JS.API.INFO' is a subject of the server's own");
  CHECK(delivery_of(deliveries, 17).verdict == Verdict::accepted);
}

TEST_CASE("nats: a full stream that takes nothing more blames nobody, and goes on when there is room") {
  NatsFixture fixture(Json{{"max_msgs", 3}, {"discard", "new"}});
  const auto broker = fixture.open();
  Driver driver(*broker);
  auto deliveries = driver.publish(rows_to({"a", "a", "a", "a", "a"}));
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(count(deliveries, Verdict::unavailable) == 2);
  CHECK_MESSAGE(
      delivery_of(deliveries, 5).reason.find("maximum messages exceeded (10077)") != std::string::npos,
      delivery_of(deliveries, 5).reason);
  fixture.reader->api("STREAM.PURGE.ORDERS");
  Rows rows = rows_to({"a", "a", "a", "a", "a"});
  CHECK(count(driver.publish(rows, 4), Verdict::accepted) == 2);
}

TEST_CASE("nats: a message too large for its stream or for the server is rejected, and only that one") {
  NatsFixture fixture(Json{{"max_msg_size", 2000}});
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  rows.add({.payload = std::string(3000, 'x')});
  rows.add();
  rows.add({.payload = std::string(1 << 20, 'x')});
  rows.add();
  const auto deliveries = driver.publish(rows);
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason ==
        "nats: publish to 'order.placed': message size exceeds maximum allowed (10054)");
  CHECK(delivery_of(deliveries, 4).verdict == Verdict::rejected);
  CHECK(
      delivery_of(deliveries, 4).reason ==
      "nats: publish to 'order.placed': payload and headers have more bytes than the server's max_payload of "
      "1048576");
}

TEST_CASE("nats: without JetStream a message is misconfigured") {
  NatsServer server({.has_jetstream = false});
  const auto broker = open_broker(nats_adapter(), server.url());
  const auto deliveries = Driver(*broker).publish(rows_to({"a"}));
  CHECK(deliveries[0].verdict == Verdict::misconfigured);
}

TEST_CASE("nats: a URL or settings that can never work are refused with the fix") {
  const BrokerAdapter nats = nats_adapter();
  refusal(nats, "nats://localhost/orders");
  refusal(nats, "nats://:hidden@localhost");
  refusal(nats, "nats://user:hidden@localhost", {{"creds_file", std::string("user.creds")}});
  refusal(nats, "nats://localhost", {{"inbox_prefix", std::string("in box")}});
}

}  // namespace
}  // namespace outbox::test
