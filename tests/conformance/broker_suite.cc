#include "tests/conformance/broker_suite.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <thread>

namespace outbox::test {
namespace {

using std::chrono::steady_clock;

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

void check_all_accepted(const std::vector<Delivery>& deliveries, const Rows& rows) {
  REQUIRE(deliveries.size() == rows.size());
  for (const Delivery& delivery : deliveries) {
    CHECK_MESSAGE(delivery.verdict == Verdict::accepted, delivery.reason);
    CHECK(delivery.reason == "");
  }
}

void check_one_delivery_each(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (int i = 0; i < 3000; ++i) rows.add({.key = "key" + std::to_string(i % 7)});
  const auto deliveries = driver.publish(rows);
  check_all_accepted(deliveries, rows);
  std::set<Ticket> tickets;
  for (const Delivery& delivery : deliveries) tickets.insert(delivery.ticket);
  CHECK(tickets.size() == rows.size());
  if (fixture.keeps()) CHECK(fixture.received().size() == rows.size());
}

void check_order(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (int i = 0; i < 500; ++i) rows.add({.key = "one", .payload = std::to_string(i)});
  REQUIRE(driver.connect().state == Session::State::up);
  const auto all = rows.submissions();
  const std::size_t at_once = fixture.is_ordered() ? 50 : 1;
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < all.size(); i += at_once) {
    driver.submit(std::span(all).subspan(i, at_once));
    if (!fixture.is_ordered()) std::ranges::move(driver.deliveries(), std::back_inserter(deliveries));
  }
  if (fixture.is_ordered()) deliveries = driver.deliveries();
  check_all_accepted(deliveries, rows);
  if (!fixture.keeps()) return;
  const auto received = fixture.received();
  REQUIRE(received.size() == 500);
  for (std::size_t i = 0; i < received.size(); ++i) CHECK(received[i].payload == std::to_string(i));
}

std::map<std::string, Received> by_id(BrokerFixture& fixture) {
  std::map<std::string, Received> found;
  for (Received& message : fixture.received()) {
    const std::string id = message.id();
    CHECK_MESSAGE(found.emplace(id, std::move(message)).second, "arrived twice: ", id);
  }
  return found;
}

void check_payloads(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  const std::vector<std::string> payloads = {
      "",
      std::string(fixture.payload_max(), 'x'),
      every_byte(),
      every_byte() + every_byte(),
      R"({"amount":12345678901234567890.10,"tiny":1e-999,"text":"\u00e9\/"})",
      "{\"broken\":",
      std::string("{}\0", 3),
      "\xEF\xBB\xBF{}",
      "null",
      "\"\xFF\""};
  const std::vector<std::string> types = {"application/json", "application/octet-stream",
                                          "application/vnd.order+json; charset=utf-8",
                                          R"(text/plain; title="100% {a}")", ""};
  Rows rows;
  for (const std::string& type : types)
    for (const std::string& payload : payloads) rows.add({.payload = payload, .content_type = type});
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = by_id(fixture);
  REQUIRE(received.size() == rows.size());
  for (std::int64_t number = 1; const std::string& type : types)
    for (const std::string& payload : payloads) {
      const Received& message = received.at(uuid_of(number++));
      CHECK_MESSAGE(message.payload == payload, "payload of ", payload.size(), " bytes as ", type);
      CHECK(message.content_type.value_or("") == type);
    }
}

void check_content_types(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (const char* type : {"a\r\nInjected: b", "a\n", "a\tb", "a\x01", "a\x7F", " a", "a ", "größe", "\xFF"})
    rows.add({.content_type = type});
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = by_id(fixture);
  REQUIRE(received.size() == rows.size());
  for (const auto& [id, message] : received) {
    CHECK(message.content_type.value_or("none") == "none");
    CHECK(message.headers.empty());
  }
}

/// CloudEvents 1.0, type system; what no attribute may hold.
const std::vector<std::string> no_attributes = {
    "a\tb",         "line\r\nbreak", "\x01",         std::string("k\0", 2),
    "\x7F",         "\xC2\x80",      "\xEF\xBF\xBE", "\xF0\x9F\xBF\xBF",
    "\xEF\xB7\x90", "k\xFF",         "\xED\xA0\x80"};

/// The message goes, with everything else that it has: an attribute is left out, never changed.
void check_no_attributes(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  for (const std::string& text : no_attributes) {
    rows.add({.key = text, .type = "placed", .headers = {{"tenant", "7"}}});
    rows.add({.key = "42", .type = text});
  }
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = by_id(fixture);
  REQUIRE(received.size() == rows.size());
  for (std::int64_t number = 1; [[maybe_unused]] const std::string& text : no_attributes) {
    const Received &key = received.at(uuid_of(number++)), &type = received.at(uuid_of(number++));
    CHECK(key.attributes.count("subject") + key.attributes.count("partitionkey") == 0);
    CHECK(key.attributes.at("type") == "placed");
    CHECK(key.headers == std::map<std::string, std::string>{{"tenant", "7"}});
    CHECK(type.attributes.at("type") == "order.placed");
    CHECK(type.attributes.at("partitionkey") == "42");
  }
}

void check_texts(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  const std::vector<std::string> texts = {"Bestellung/größe",
                                          "注文.確定",
                                          "emoji \U0001F6D2",
                                          "a b\tc",
                                          "quote\"back\\slash",
                                          "line\r\nbreak",
                                          "*",
                                          "$5",
                                          std::string(300, 'k')};
  Rows rows;
  std::vector<Row> expected;
  for (const std::string& text : texts) {
    Row& row = expected.emplace_back();
    if (fixture.carries_topic(text)) row.topic = text;
    row.key = row.type = text;
    const bool is_line = text.find('\n') == text.npos;
    row.headers = {{is_line && fixture.carries_header_name(text) ? text : "h",
                    is_line && fixture.carries_header_value(text) ? text : "one line"}};
    rows.add(row);
  }
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = by_id(fixture);
  for (std::int64_t number = 1; const Row& row : expected) {
    const Received& message = received.at(uuid_of(number++));
    CHECK(message.topic == row.topic);
    CHECK(message.headers == std::map<std::string, std::string>(row.headers.begin(), row.headers.end()));
    if (row.key->find_first_of("\t\r\n") != row.key->npos) continue;
    CHECK(message.attributes.at("partitionkey") == *row.key);
    CHECK(message.attributes.at("type") == row.type);
  }
}

/// What cannot be carried makes a dead letter, with its reason and without its value; its neighbours go on.
void check_what_cannot_be_carried(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  std::vector<Row> bad;
  for (const char* breaking : {"\r", "\n", "\r\nInjected: header"}) {
    bad.push_back({.headers = {{"name", std::string("secret") + breaking}}});
    bad.push_back({.headers = {{std::string("name") + breaking, "secret"}}});
  }
  bad.push_back({.headers = {{"name", std::string("secret\0", 7)}}});
  bad.push_back({.headers = {{"", "secret"}}});
  for (const char* text :
       {"a b\tc", "*", "line\r\nbreak", "größe", "a/#", "a..b", "$SYS/x", "\x1B[0m", " blanks around ", ""}) {
    if (!fixture.carries_topic(text)) bad.push_back({.topic = text});
    if (!fixture.carries_header_value(text)) bad.push_back({.headers = {{"name", text}}});
  }
  if (!fixture.carries_topic(std::string(70000, 't'))) bad.push_back({.topic = std::string(70000, 't')});
  for (const Row& row : bad) {
    Rows rows;
    rows.add();
    rows.add(row);
    rows.add();
    const auto deliveries = driver.publish(rows);
    CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
    CHECK_MESSAGE(delivery_of(deliveries, 2).verdict == Verdict::rejected, delivery_of(deliveries, 2).reason);
    CHECK(delivery_of(deliveries, 2).reason != "");
    CHECK(delivery_of(deliveries, 2).reason.find("secret") == std::string::npos);
    CHECK(delivery_of(deliveries, 3).verdict == Verdict::accepted);
  }
  CHECK(fixture.received().size() == (broker->traits().deduplicates ? 2 : 2 * bad.size()));
}

void check_reserved_headers(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Rows rows;
  rows.add();
  const auto reserved = fixture.reserved_headers();
  for (const auto& [name, says] : reserved) rows.add({.headers = {{name, "forged"}}});
  Row row;
  for (const std::string& name : fixture.free_headers()) row.headers.emplace_back(name, "of " + name);
  const std::int64_t last = rows.add(row);
  const auto deliveries = Driver(*broker).publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  for (std::int64_t number = 2; const auto& [name, says] : reserved) {
    const Delivery delivery = delivery_of(deliveries, number++);
    CHECK_MESSAGE(delivery.verdict == Verdict::rejected, name);
    CHECK_MESSAGE(delivery.reason.find(says) != std::string::npos, delivery.reason);
    CHECK(delivery.reason.find("forged") == std::string::npos);
  }
  CHECK_MESSAGE(delivery_of(deliveries, last).verdict == Verdict::accepted,
                delivery_of(deliveries, last).reason);
  const auto received = by_id(fixture);
  CHECK(received.size() == 2);
  CHECK(received.at(uuid_of(last)).headers ==
        std::map<std::string, std::string>(row.headers.begin(), row.headers.end()));
}

void check_attributes(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add({.key = "42",
            .type = "com.example.order.placed",
            .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                        {"tenant", ""}}});
  rows.add({.content_type = "text/plain"});
  rows.add({.key = ""});
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = by_id(fixture);
  REQUIRE(received.size() == 3);
  const Received &first = received.at(uuid_of(1)), &second = received.at(uuid_of(2));

  const std::map<std::string, std::string> expected = {{"id", uuid_of(1)},
                                                       {"source", "/tests"},
                                                       {"specversion", "1.0"},
                                                       {"type", "com.example.order.placed"},
                                                       {"time", "2026-01-31T23:59:59.000001Z"},
                                                       {"subject", "42"},
                                                       {"partitionkey", "42"}};
  CHECK(first.attributes == expected);
  CHECK(first.content_type == "application/json");
  CHECK(first.topic == "order.placed");
  const std::map<std::string, std::string> headers = {
      {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, {"tenant", ""}};
  CHECK(first.headers == headers);

  CHECK(second.attributes.count("subject") == 0);
  CHECK(second.attributes.count("partitionkey") == 0);
  CHECK(second.attributes.at("type") == "order.placed");
  CHECK(second.content_type == "text/plain");
  CHECK(second.headers.empty());
  // An attribute that would be empty is no attribute.
  CHECK(received.at(uuid_of(3)).attributes.count("subject") == 0);
  CHECK(received.at(uuid_of(3)).attributes.count("partitionkey") == 0);
}

/// Whatever CloudEvents reader the consumer has, the event is the one in the payload, with its own id.
void check_structured(BrokerFixture& fixture) {
  const std::string event = R"({"specversion":"1.0","id":"own","source":"/own","type":"own","data":1})";
  const std::set<std::string> types = {"application/cloudevents+json", "Application/CloudEvents",
                                       "application/cloudevents-batch+json; charset=utf-8"};
  Rows rows;
  for (const std::string& type : types)
    rows.add({.key = "42", .payload = event, .content_type = type, .headers = {{"tenant", "7"}}});
  for (const Attributes attributes : {Attributes::full, Attributes::minimal})
    check_all_accepted(Driver(*fixture.open(attributes)).publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = fixture.received();
  CHECK(received.size() >= types.size());
  for (const Received& message : received) {
    CHECK(message.payload == event);
    CHECK(types.contains(message.content_type.value_or("")));
    CHECK(message.headers == std::map<std::string, std::string>{{"tenant", "7"}});
    CHECK(message.attributes.empty() == fixture.has_structured_mode());
  }
}

void check_minimal(BrokerFixture& fixture) {
  const auto broker = fixture.open(Attributes::minimal);
  Driver driver(*broker);
  Rows rows;
  rows.add({.key = "42", .headers = {{"tenant", "7"}}});
  check_all_accepted(driver.publish(rows), rows);
  if (!fixture.keeps()) return;
  const auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].attributes == std::map<std::string, std::string>{{"id", uuid_of(1)}});
  CHECK(received[0].content_type == "application/json");
  CHECK(received[0].headers == std::map<std::string, std::string>{{"tenant", "7"}});
  CHECK(received[0].payload == R"({"order":42})");
}

void check_defect(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  rows.message(rows.add()).defect = "headers are no object of strings";
  rows.add();
  const auto deliveries = driver.publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason == "headers are no object of strings");
  CHECK(delivery_of(deliveries, 3).verdict == Verdict::accepted);
  CHECK(fixture.received().size() == 2);
}

void check_wake(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  Answers answers;
  const auto start = steady_clock::now();
  broker->wake();  // before the poll: the next one ends at once
  broker->poll(2 * patience, answers);
  {
    const std::jthread waker([&] { broker->wake(); });
    broker->poll(2 * patience, answers);
  }
  CHECK(steady_clock::now() - start < patience);
  CHECK(answers.deliveries.empty());
  CHECK(!answers.session);
}

void check_idle_poll(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  Answers answers;
  const auto start = steady_clock::now();
  broker->poll(std::chrono::milliseconds(20), answers);
  CHECK(steady_clock::now() - start >= std::chrono::milliseconds(20));
  CHECK(answers.deliveries.empty());
  CHECK(!answers.session);
}

/// What remembers ids must not take a replay for what it has: but two attempts of one replay are one message.
void check_replays(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  for (const int replay : {0, 1, 1, 2}) {
    rows.message(1).replay = replay;
    check_all_accepted(driver.publish(rows), rows);
  }
  if (!fixture.keeps()) return;
  const auto received = fixture.received();
  CHECK(received.size() == (broker->traits().deduplicates ? 3 : 4));
  for (const Received& message : received) CHECK(message.id() == uuid_of(1));
}

void check_second_session(BrokerFixture& fixture) {
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add();
  check_all_accepted(driver.publish(rows), rows);
  REQUIRE(driver.connect().state == Session::State::up);
  check_all_accepted(driver.publish(rows), rows);
  if (fixture.keeps()) CHECK(fixture.received().size() == (broker->traits().deduplicates ? 1 : 2));
}

}  // namespace

bool is_token(std::string_view text) {
  static constexpr std::string_view letters =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !text.empty() && text.find_first_not_of(letters) == text.npos;
}

bool is_field_value(std::string_view text) {
  const auto is_carried = [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); };
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  return std::ranges::all_of(text, is_carried) &&
         (text.empty() || (!is_blank(text.front()) && !is_blank(text.back())));
}

void broker_suite(BrokerFixture& fixture) {
  SUBCASE("every submitted message gets exactly one delivery") {
    check_one_delivery_each(fixture);
  }
  SUBCASE("messages arrive in the order of submission") {
    check_order(fixture);
  }
  SUBCASE("payloads arrive byte for byte") {
    check_payloads(fixture);
  }
  SUBCASE("a content type that is no media type is left out, and the message goes") {
    check_content_types(fixture);
  }
  SUBCASE("a key or type that is no attribute of CloudEvents is left out, and the message goes") {
    check_no_attributes(fixture);
  }
  SUBCASE("topics, keys, types and headers are any UTF-8 that the protocol carries") {
    check_texts(fixture);
  }
  SUBCASE("what cannot be carried is rejected, and CR, LF and NUL in headers on every protocol") {
    if (fixture.keeps()) check_what_cannot_be_carried(fixture);
  }
  SUBCASE("a header with a reserved name is rejected, and only its own message") {
    if (!fixture.reserved_headers().empty()) check_reserved_headers(fixture);
  }
  SUBCASE("attributes and headers are those of the contract") {
    check_attributes(fixture);
  }
  SUBCASE("a row that is an event of its own has no attributes that contradict it") {
    check_structured(fixture);
  }
  SUBCASE("minimal attributes are the id alone") {
    check_minimal(fixture);
  }
  SUBCASE("a row with a defect is rejected with its reason") {
    if (fixture.keeps()) check_defect(fixture);
  }
  SUBCASE("wake() ends a poll") {
    check_wake(fixture);
  }
  SUBCASE("an idle poll lasts as long as it may") {
    check_idle_poll(fixture);
  }
  SUBCASE("a replay is no repetition of what was sent before") {
    check_replays(fixture);
  }
  SUBCASE("connect() begins a new session") {
    check_second_session(fixture);
  }
}

}  // namespace outbox::test
