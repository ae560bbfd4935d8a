#include "adapters/common/batch_builder.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace outbox;

namespace {

constexpr ReadLimit no_limit{1000, 1u << 30};

RowView row(std::int64_t seq) {
  RowView view;
  view.seq = seq;
  view.id = "01234567-89ab-cdef-0123-456789abcdef";
  view.topic = "orders";
  view.payload = "{}";
  view.content_type = "application/json";
  return view;
}

Batch batch_with_headers(std::string_view headers) {
  BatchBuilder builder(no_limit);
  RowView view = row(1);
  view.headers = headers;
  builder.add(view);
  return builder.take();
}

}  // namespace

TEST_CASE("a batch does not need the memory of the rows it was made from") {
  BatchBuilder builder(no_limit);
  {
    std::string topic = "orders", key = "k", payload("\0\xff\n", 3), headers = R"({"a": "1", "b": "2"})";
    RowView view = row(7);
    view.topic = topic;
    view.key = key;
    view.payload = payload;
    view.headers = headers;
    builder.add(view);
    topic = "xxxxxx", key = "x", payload = "xxx", headers.assign(headers.size(), 'x');
  }
  const Batch batch = builder.take();
  REQUIRE(batch.messages.size() == 1);
  const Message& message = batch.messages[0];
  CHECK(message.seq == 7);
  CHECK(message.topic == "orders");
  CHECK(message.type == "orders");
  CHECK(message.key == "k");
  CHECK(message.payload == std::string_view("\0\xff\n", 3));
  CHECK(message.defect.empty());
  REQUIRE(message.headers.size() == 2);
  CHECK(message.headers[0].name == "a");
  CHECK(message.headers[1].value == "2");
  CHECK(batch.bytes == message.bytes());
}

TEST_CASE("the same text in two rows, or in none, stays what it was") {
  BatchBuilder builder(no_limit);
  RowView first = row(1), second = row(2), third = row(3);
  second.topic = "";
  second.type = "created";
  second.key = "";
  third.topic = "orders.eu";
  third.payload = "";
  for (const RowView& view : {first, first, second, third}) builder.add(view);
  const Batch batch = builder.take();
  CHECK(batch.messages[1].topic == "orders");
  CHECK(batch.messages[2].topic.empty());
  CHECK(batch.messages[2].type == "created");
  CHECK(batch.messages[2].key == "");
  CHECK_FALSE(batch.messages[3].key);
  CHECK(batch.messages[3].topic == "orders.eu");
  CHECK(batch.messages[3].payload.empty());
}

TEST_CASE("an id is shown in canonical form, whatever form it came in") {
  BatchBuilder builder(no_limit);
  RowView bytes = row(1), text = row(2);
  bytes.id = std::string_view("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
  text.id = "01234567-89AB-CDEF-0123-456789ABCDEF";
  builder.add(bytes);
  builder.add(text);
  const Batch batch = builder.take();
  CHECK(batch.messages[0].id_text() == "01234567-89ab-cdef-0123-456789abcdef");
  CHECK(batch.messages[1].id_text() == "01234567-89ab-cdef-0123-456789abcdef");
}

TEST_CASE("an id that is no UUID is a defect") {
  for (const char* id :
       {"", "7", "01234567+89ab-cdef-0123-456789abcdef", "0123456g-89ab-cdef-0123-456789abcdef"}) {
    BatchBuilder builder(no_limit);
    RowView view = row(1);
    view.id = id;
    builder.add(view);
    CHECK(builder.take().messages[0].defect.starts_with("id is no UUID"));
  }
}

TEST_CASE("headers with escapes and other alphabets are decoded") {
  const Batch batch = batch_with_headers(R"({"na\"me":"a\u00e9\n","ключ":"значение"})");
  const Message& message = batch.messages[0];
  CHECK(message.defect.empty());
  REQUIRE(message.headers.size() == 2);
  CHECK(message.headers[0].name == "na\"me");
  CHECK(message.headers[0].value == "aé\n");
  CHECK(message.headers[1].name == "ключ");
  CHECK(message.headers[1].value == "значение");
}

TEST_CASE("plain headers before one with escapes are read once") {
  const Batch batch = batch_with_headers(R"({"a": "1", "b": "\u00e9", "c": "3"})");
  REQUIRE(batch.messages[0].headers.size() == 3);
  CHECK(batch.messages[0].headers[0].name == "a");
  CHECK(batch.messages[0].headers[1].value == "\xc3\xa9");
}

TEST_CASE("empty headers are no headers and no defect") {
  for (const char* headers : {"{}", " { } ", "{\n}"}) {
    const Batch batch = batch_with_headers(headers);
    CHECK(batch.messages[0].headers.empty());
    CHECK(batch.messages[0].defect.empty());
  }
}

TEST_CASE("headers that are no object of strings are a defect that names the member") {
  CHECK(batch_with_headers(R"({"a":"x","retries":3})").messages[0].defect ==
        "headers: the value of \"retries\" is of JSON type number; only strings are allowed");
  CHECK(batch_with_headers(R"({"a":null})").messages[0].defect.find("\"a\" is of JSON type null") !=
        std::string::npos);
  CHECK(batch_with_headers(R"({"a":{"b":"c"}})").messages[0].defect.find("object") != std::string::npos);
  CHECK(batch_with_headers(R"(["a"])").messages[0].defect ==
        "headers is of JSON type array; it must be an object of strings");
  for (const char* broken :
       {"", "{", R"({"a":"b")", R"({"a":"b",})", R"({"a" "b"})", R"({"a":"b"} x)", "{\"a\":\"\n\"}"})
    CHECK(batch_with_headers(broken).messages[0].defect ==
          "headers is no valid JSON; it must be an object of strings");
}

TEST_CASE("a batch is full with the row that reaches a limit, and never without a row") {
  BatchBuilder by_count({2, 1u << 20});
  CHECK_FALSE(by_count.full());
  by_count.add(row(1));
  CHECK_FALSE(by_count.full());
  by_count.add(row(2));
  CHECK(by_count.full());
  CHECK(by_count.last_seq() == 2);

  BatchBuilder by_bytes({1000, 1});
  CHECK_FALSE(by_bytes.full());
  by_bytes.add(row(1));
  CHECK(by_bytes.full());
}

TEST_CASE("a large payload fits into a small batch") {
  const std::string payload(1u << 20, '\x7f');
  BatchBuilder builder(no_limit, 1);
  RowView view = row(1);
  view.payload = payload;
  builder.add(view);
  builder.add(view);
  const Batch batch = builder.take();
  CHECK(batch.messages[0].payload == payload);
  CHECK(batch.messages[1].payload == payload);
}

TEST_CASE("a row whose texts exceed the bound together is a defect, of which next to nothing is kept") {
  constexpr ReadLimit limit{1000, 1u << 30, 1000};
  const std::string longer(1001, 'x'), fits(900, 'k'), payload(1u << 20, 'p');
  const auto kept_of = [&](const std::function<void(RowView&)>& change) {
    BatchBuilder builder(limit);
    RowView view = row(7);
    view.payload = payload;
    change(view);
    builder.add(view);
    builder.add(row(8));
    Batch batch = builder.take();
    CHECK(batch.messages[0].seq == 7);
    CHECK(batch.messages[0].id_text() == view.id);
    CHECK(batch.messages[0].defect.find("more than outbox.texts_max, which is 1000") !=
          std::string_view::npos);
    CHECK(batch.messages[0].payload.empty());
    CHECK(batch.bytes < 4000);
    CHECK(batch.messages[1].defect.empty());
    CHECK(batch.messages[1].topic == "orders");
    CHECK(batch.messages[1].content_type == "application/json");
    return batch;
  };
  const Batch of_topic = kept_of([&](RowView& view) { view.topic = longer; });
  CHECK(of_topic.messages[0].topic == longer.substr(0, 256) + "... (cut)");
  CHECK_FALSE(kept_of([&](RowView& view) { view.key = longer; }).messages[0].key);
  kept_of([&](RowView& view) { view.type = longer; });
  kept_of([&](RowView& view) { view.content_type = longer; });
  const std::string headers = "{\"a\":\"" + longer + "\"}";
  kept_of([&](RowView& view) { view.headers = headers; });
  // Rows of a key that fits alone wait for each other all the same.
  const Batch together = kept_of([&](RowView& view) {
    view.key = fits;
    view.topic = std::string_view(longer).substr(0, 101);
  });
  CHECK(together.messages[0].key == fits);
  CHECK(together.messages[0].topic.size() == 101);

  BatchBuilder builder(limit);
  RowView view = row(9);
  const std::string rest(1000 - view.topic.size() - view.content_type.size() - view.headers.size(), 'k');
  view.key = rest;
  builder.add(view);
  CHECK(builder.take().messages[0].defect.empty());
}
