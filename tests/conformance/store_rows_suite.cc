// What a row becomes, whatever a service has put into it.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/timestamp.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

void check_columns(StoreFixture& fixture) {
  const auto writer = fixture.writer();
  writer->commit_rows({{.topic = "заказы/→",
                        .key = "ключ \"'\\ %",
                        .type = "order.created",
                        .payload = "{}",
                        .headers = R"({"traceparent": "00-1", "b": ""})"},
                       {.topic = "plain", .content_type = "text/plain"}});
  Holder holder = holder_of(fixture);
  auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 2);
  const Message& first = batch->messages[0];
  const Message& second = batch->messages[1];
  CHECK(first.topic == "заказы/→");
  CHECK(first.key == "ключ \"'\\ %");
  CHECK(first.type == "order.created");
  CHECK(first.content_type == "application/json");
  CHECK(first.defect == "");
  REQUIRE(first.headers.size() == 2);
  const bool b_first = first.headers[0].name == "b";  // an object has no order
  CHECK(first.headers[b_first ? 1 : 0].name == "traceparent");
  CHECK(first.headers[b_first ? 1 : 0].value == "00-1");
  CHECK(first.headers[b_first ? 0 : 1].value == "");
  CHECK_FALSE(second.key);
  CHECK(second.type == "plain");
  CHECK(second.content_type == "text/plain");
  CHECK(second.headers.empty());
  CHECK(first.seq < second.seq);
  CHECK(first.id_text() != second.id_text());
  CHECK(std::ranges::count(first.id_text(), '-') == 4);
  CHECK(first.created_at > Timestamp(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1)));
}

void check_distant_dates(StoreFixture& fixture) {
  const char* dates[] = {"0001-01-01T00:00:00Z", "1800-06-01T00:00:00Z", "2600-01-01T12:30:00Z",
                         "9999-12-31T23:59:59Z"};
  fixture.writer()->commit_rows(std::vector<ServiceRow>(4));
  for (int i = 0; i < 4; ++i)
    fixture.execute("UPDATE outbox SET created_at = '" + std::string(dates[i]) +
                    "' WHERE seq = " + std::to_string(i + 1));
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(batch->messages[i].defect == "");
    CHECK(format_in_seconds(batch->messages[i].created_at) == dates[i]);
  }
  const auto backlog = fixture.admin()->backlog("orders");
  REQUIRE(backlog);
  CHECK(backlog->oldest_age >= Duration::zero());
}

void check_payloads(StoreFixture& fixture) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  const std::vector<std::string> payloads = {"", every_byte, std::string(1u << 20, '\xfe'), "x"};
  std::vector<ServiceRow> rows;
  for (const std::string& payload : payloads) rows.push_back({.payload = payload});
  fixture.writer()->commit_rows(rows);
  Holder holder = holder_of(fixture);
  CHECK(read_all(holder) == payloads);
}

void check_values(StoreFixture& fixture) {
  // a service that writes text gives the column for text, and needs no escapes
  fixture.execute(
      "INSERT INTO outbox (topic, payload, data) VALUES ('t', NULL, 'a\"\\n\n''\xf0\x9f\x98\x80'), ('t', "
      "NULL, ''), "
      "('t', NULL, NULL), ('t', '', NULL), ('t', '', '')");
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 5);
  CHECK(batch->messages[0].payload == "a\"\\n\n'\xf0\x9f\x98\x80");
  std::string tombstones;
  for (const Message& message : batch->messages) tombstones += message.is_tombstone ? '1' : '0';
  CHECK(tombstones == "00100");
  for (int i = 0; i < 4; ++i) CHECK(batch->messages[i].defect == "");
  CHECK(batch->messages[4].defect.find("payload and data") != std::string_view::npos);
  const auto shown = fixture.admin()->message({}, batch->messages[0].seq, true);
  REQUIRE((shown && *shown));
  CHECK((*shown)->payload == batch->messages[0].payload);
  CHECK((*shown)->payload_bytes == static_cast<std::int64_t>(batch->messages[0].payload.size()));
}

void check_defects(StoreFixture& fixture) {
  const std::pair<const char*, const char*> cases[] = {{R"({"retries": 3})", "retries"},
                                                       {R"(["a"])", "array"},
                                                       {R"("text")", "string"},
                                                       {R"({"a": {"b": "c"}})", "object"}};
  std::vector<ServiceRow> rows;
  for (const auto& [headers, unused] : cases) rows.push_back({.payload = "p", .headers = headers});
  fixture.writer()->commit_rows(rows);
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == std::size(cases));
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const Message& message = batch->messages[i];
    CHECK(message.defect.find(cases[i].second) != std::string_view::npos);
    CHECK(message.payload == "p");
    CHECK(message.headers.empty());
  }
}

void check_large_texts(StoreFixture& fixture) {
  constexpr std::size_t size = 3 << 20;
  const std::string text(size, 'x');
  fixture.writer()->commit_rows({{.topic = text, .payload = "p"},
                                 {.key = text, .payload = "p"},
                                 {.type = text, .payload = "p"},
                                 {.payload = "p", .content_type = text},
                                 {.key = "k", .payload = "p", .headers = "{\"a\":\"" + text + "\"}"},
                                 {.key = "k", .payload = "good"}});
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 6);
  CHECK(batch->bytes < 16'000);
  HeldWrites held;
  for (std::size_t i = 0; i < 5; ++i) {
    const Message& message = batch->messages[i];
    CHECK(message.defect.find(" bytes together, more than outbox.texts_max") != std::string_view::npos);
    CHECK(message.payload.empty());
    held.holds.push_back(hold_of(message, HeldState::dead));
  }
  CHECK_FALSE(batch->messages[1].key);
  CHECK(batch->messages[4].key == "k");
  CHECK(batch->messages[5].payload == "good");
  REQUIRE(holder.store->settle(holder.lease, batch->end, held));

  const auto admin = fixture.admin();
  const auto entries = admin->held({}, std::nullopt, 10);
  REQUIRE(entries);
  REQUIRE(entries->size() == 5);
  const std::string shown = std::string(256, 'x') + "... (cut)";
  CHECK(entries->at(0).topic == shown);
  CHECK_FALSE(entries->at(1).key);
  const auto details = [&](int row) { return **admin->message({}, batch->messages[row].seq, false); };
  CHECK(details(0).topic == shown);
  CHECK(details(1).key == shown);
  CHECK(details(2).type == shown);
  CHECK(details(3).content_type == shown);
  CHECK(details(4).headers.size() < 100'000);

  // Somebody who may send more sends them as they are.
  HeldFilter filter;
  filter.route = "orders";
  REQUIRE(admin->change_held(HeldAction::requeue, filter, 10, false, "anna"));
  const auto again = holder.store->read_held(holder.lease, {10, 1u << 20});
  REQUIRE(again);
  REQUIRE(again->rows.messages.size() == 5);
  for (const Message& message : again->rows.messages) CHECK_FALSE(message.defect.empty());
  const auto whole = holder.store->read_held(holder.lease, {10, 1u << 30, 2 * size});
  REQUIRE(whole);
  REQUIRE(whole->rows.messages.size() == 5);
  for (const Message& message : whole->rows.messages) {
    CHECK(message.defect.empty());
    CHECK(message.payload == "p");
    CHECK(message.bytes() > size);
    if (message.seq == batch->messages[1].seq) CHECK((message.key == text));
  }
}

void check_repeated_headers(StoreFixture& fixture) {
  // plain and with an escape, which are read by different code where JSON is text
  fixture.writer()->commit_rows(
      {{.headers = R"({"a": "1", "b": "2", "a": "3"})"}, {.headers = R"({"a": "1\t", "b": "2", "a": "3"})"}});
  Holder holder = holder_of(fixture);
  const auto batch = holder.store->read(holder.mark, {10, 1u << 20});
  REQUIRE(batch);
  REQUIRE(batch->messages.size() == 2);
  for (const Message& message : batch->messages) {
    CHECK(message.defect == "");
    std::set<std::string> found;
    for (const Header& header : message.headers)
      found.insert(std::string(header.name) + "=" + std::string(header.value));
    CHECK(found == std::set<std::string>{"a=3", "b=2"});
  }
}

void check_low_numbers(StoreFixture& fixture) {
  fixture.execute("INSERT INTO outbox (seq, topic, payload) " + fixture.with_own_seq() +
                  " VALUES (-5, 't', 'a'), (0, 't', 'b')");
  fixture.writer()->commit_rows({{.payload = "c"}});
  const auto admin = fixture.admin();
  CHECK(admin->backlog("orders")->pending == 3);
  Holder holder = holder_of(fixture);
  CHECK(admin->backlog("orders")->pending == 3);
  CHECK(read_all(holder) == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  CHECK(admin->backlog("orders")->pending == 0);
  const auto removed = admin->remove_sent({});
  REQUIRE_MESSAGE(removed, removed.error().text);
  CHECK(removed->rows == 3);
}

}  // namespace

void store_rows_suite(StoreFixture& fixture) {
  SUBCASE("every column arrives as it was written") {
    check_columns(fixture);
  }
  SUBCASE("dates far from now arrive as they are") {
    check_distant_dates(fixture);
  }
  SUBCASE("payloads of no byte, every byte and a million bytes arrive as they are") {
    check_payloads(fixture);
  }
  SUBCASE("text, bytes or no value at all is what a message carries, and not two of them") {
    check_values(fixture);
  }
  SUBCASE("headers that are no object of strings are a defect of their row alone") {
    check_defects(fixture);
  }
  SUBCASE(
      "texts beyond the bound are a defect of their row alone; shown they are cut, with more room they go") {
    check_large_texts(fixture);
  }
  SUBCASE("of several headers of one name the last counts") {
    check_repeated_headers(fixture);
  }
  SUBCASE("rows before the first number are read as all others") {
    check_low_numbers(fixture);
  }
}

}  // namespace outbox::test
