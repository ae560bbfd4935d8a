// What JetStream says, and what the adapter makes of it. broker_nats_faults_test.cc has what can happen to
// the connection.
#include <doctest/doctest.h>

#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/nats_fixture.h"
#include "tests/conformance/nats_reader.h"
#include "tests/support/nats_server.h"

namespace outbox::test {
namespace {

using Json = NatsReader::Json;

/// One server for all tests of this program, emptied for each.
class NatsFixture : public BrokerFixture {
 public:
  explicit NatsFixture(const Json& stream = Json::object()) {
    reader.delete_streams();
    create_orders(reader, stream);
  }
  std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) override {
    return open_broker(nats_adapter(), server().url(), {}, attributes);
  }
  std::vector<Received> received() override { return reader.streams(); }
  [[nodiscard]] bool carries_topic(std::string_view text) const override { return is_nats_subject(text); }
  [[nodiscard]] bool carries_header_name(std::string_view text) const override {
    return is_header_name(text);
  }
  [[nodiscard]] std::size_t payload_max() const override { return (1 << 20) - 4096; }

  static NatsServer& server() {
    static NatsServer one;
    return one;
  }
  NatsReader reader{server().port()};
};

TEST_CASE("nats:") {
  NatsFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("nats: a message that is repeated is accepted again and stored once") {
  NatsFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  const Rows rows = rows_to({"a", "a", "a"});
  for (int i = 0; i < 3; ++i) CHECK(count(driver.publish(rows), Verdict::accepted) == 3);
  CHECK(fixture.received().size() == 3);
}

TEST_CASE("nats: a header with a reserved name is rejected in any case, and only its own message") {
  NatsFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add();
  rows.add({.headers = {{"Ce-Id", "forged"}}});
  rows.add({.headers = {{"Nats-Rollup", "all"}}});
  rows.add({.headers = {{"nats-msg-id", "forged"}}});
  rows.add({.headers = {{"value", " blanks around "}}});
  rows.add({.headers = {{"ce", "mine"}, {"NATS", "mine"}, {"Same", "1"}, {"same", "2"}}});
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  for (int i = 2; i <= 5; ++i) CHECK(delivery_of(deliveries, i).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 3).reason ==
        "header 'Nats-Rollup' has a reserved name: it begins with 'nats-'");
  CHECK(delivery_of(deliveries, 6).verdict == Verdict::accepted);
  const auto received = fixture.received();
  REQUIRE(received.size() == 2);
  CHECK(received[1].headers ==
        std::map<std::string, std::string>{{"ce", "mine"}, {"NATS", "mine"}, {"Same", "1"}, {"same", "2"}});
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

TEST_CASE("nats: a subject without a stream is misconfigured until there is one, and hits nobody else") {
  NatsFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"a", "nowhere", "a", "b"}));
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::misconfigured);
  CHECK(delivery_of(deliveries, 2).reason ==
        "nats: publish to 'nowhere': no stream takes this subject, or its stream has no leader now; create "
        "one, "
        "or add the subject to one (and see that JetStream is on)");
  fixture.reader.create_stream("NOWHERE", {"nowhere"});
  CHECK(count(driver.publish(rows_to({"nowhere"})), Verdict::accepted) == 1);
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
  fixture.reader.api("STREAM.PURGE.ORDERS");
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
  const auto refused = [](const std::string& url, const Settings& changed = {}) {
    Settings settings = default_settings(nats_adapter().settings);
    for (const auto& [key, value] : changed) settings.at(key) = value;
    const auto opened = nats_adapter().open({url, "", Attributes::full, settings});
    REQUIRE(!opened);
    CHECK(opened.error().fault == Fault::misconfigured);
    return opened.error().text;
  };
  CHECK(refused("nats:") == "nats: the URL names no host; write nats://localhost:4222");
  refused("nats://");
  refused("nats://localhost:port");
  refused("nats://localhost/orders");
  CHECK(refused("nats://localhost?token=hidden").find("hidden") == std::string::npos);
  refused("nats://:password@localhost");
  refused("nats://localhost", {{"cert_file", std::string("cert.pem")}});
  refused("nats://user:password@localhost", {{"creds_file", std::string("user.creds")}});
  refused("nats://localhost", {{"inbox_prefix", std::string("in box")}});
}

}  // namespace
}  // namespace outbox::test
