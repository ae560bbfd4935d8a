#include "adapters/common/cloud_event.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/common/event_line.h"
#include "base/timestamp.h"

namespace outbox {
namespace {

using namespace std::chrono;

TEST_CASE("time is RFC 3339 in UTC with microseconds, also where second, day and year turn") {
  TimeText text;
  const Timestamp end_of_year = sys_days(2025y / December / 31) + 23h + 59min + 59s + 999999us;
  CHECK(text.of(end_of_year) == "2025-12-31T23:59:59.999999Z");
  CHECK(text.of(end_of_year + 1us) == "2026-01-01T00:00:00.000000Z");
  CHECK(text.of(end_of_year) == "2025-12-31T23:59:59.999999Z");
  CHECK(text.of(Timestamp{}) == "1970-01-01T00:00:00.000000Z");
  CHECK(text.of(Timestamp{} - 1us) == "1969-12-31T23:59:59.999999Z");
  CHECK(text.of(sys_days(2024y / February / 29)) == "2024-02-29T00:00:00.000000Z");
  CHECK(text.of(sys_days(1y / January / 1)) == "0001-01-01T00:00:00.000000Z");
}

TEST_CASE("a time that RFC 3339 cannot write is left out, and the next one is not") {
  TimeText text;
  CHECK(text.of(sys_days(10000y / January / 1)).empty());
  CHECK(text.of(sys_days(year(-44) / March / 15)).empty());
  CHECK(text.of(sys_days(9999y / December / 31)) == "9999-12-31T00:00:00.000000Z");
}

TEST_CASE("every time reads back as itself") {
  TimeText text;
  for (Timestamp time = sys_days(1999y / December / 30); time < sys_days(2000y / March / 3);
       time += 3617s + 123457us)
    REQUIRE(parse_timestamp(text.of(time)) == time);
}

TEST_CASE("an attribute that would be empty is left out, as CloudEvents demands") {
  CloudEvents events("/source", Attributes::full);
  Message message;
  message.topic = "order.placed";
  message.key = "";
  std::string names;
  for (const Attribute& attribute : events.of(message)) {
    names += std::string(attribute.name) + " ";
    if (attribute.name == "type") CHECK(attribute.value == "order.placed");
  }
  CHECK(names == "id source specversion type time ");
}

TEST_CASE("headers are held against the protocol's rules, and their values stay hidden") {
  const std::string_view reserved[] = {"data"};
  const std::string_view prefixes[] = {"ce_"};
  const HeaderRules rules{.reserved_names = reserved, .reserved_prefixes = prefixes, .is_utf8 = true};
  const auto fault_of = [&](std::string_view name, std::string_view value) {
    const Header header{name, value};
    Message message;
    message.headers = {&header, 1};
    return header_fault(message, rules);
  };
  CHECK(fault_of("name", "value") == "");
  CHECK(fault_of("data", "hidden") == "header 'data' has a reserved name");
  CHECK(fault_of("ce_x", "hidden") == "header 'ce_x' has a reserved name: it begins with 'ce_'");
  CHECK(fault_of("", "hidden") == "a header has an empty name");
  CHECK(fault_of("a\nb", "hidden") == "header 'a?b' has CR, LF or NUL in its name");
  CHECK(fault_of("a", "hidden\r\ninjected: x") == "header 'a' has CR, LF or NUL in its value");
  CHECK(fault_of("a", "hidden\xFF") == "header 'a' is not UTF-8 in its value");
}

TEST_CASE(
    "a protocol with HTTP's headers takes tokens as names, whatever their case, and values of ASCII without "
    "outer blanks") {
  const std::string_view reserved[] = {"content-type"};
  const std::string_view prefixes[] = {"ce-"};
  const HeaderRules rules{
      .reserved_names = reserved, .reserved_prefixes = prefixes, .ignores_case = true, .is_token = true};
  const auto fault_of = [&](std::string_view name, std::string_view value) {
    const Header header{name, value};
    Message message;
    message.headers = {&header, 1};
    return header_fault(message, rules);
  };
  CHECK(fault_of("X-Name", "a value") == "");
  CHECK(fault_of("x", "") == "");
  CHECK(fault_of("Content-Type", "x") == "header 'Content-Type' has a reserved name");
  CHECK(fault_of("content-type2", "x") == "");
  CHECK(fault_of("CE-Id", "x") == "header 'CE-Id' has a reserved name: it begins with 'ce-'");
  for (const char* name : {"a b", "a:b", "\xC3\xA4", "a\x7F", "(a)", "a\tb"})
    CHECK(fault_of(name, "x").ends_with("has a character in its name that headers do not take"));
  for (const char* value : {" x", "x ", "\tx", "x\t"})
    CHECK(fault_of("a", value) == "header 'a' has a blank at an end of its value");
  for (const char* value : {"gr\xC3\xB6\xC3\x9F"
                            "e",
                            "\xE4", "\x01", "\x7F", "a\x1B[0m"})
    CHECK(fault_of("a", value) == "header 'a' has a control character or other than ASCII in its value");
  CHECK(fault_of("a", "a\tb ~") == "");
}

TEST_CASE(
    "a line is a legal CloudEvent: headers are attributes where their names may be, and one text where not") {
  EventLine line("/source", Attributes::minimal);
  const auto rest_of = [&](std::vector<Header> headers) {
    Message message;
    message.topic = "t";
    message.payload = "1";
    message.headers = headers;
    std::string text;
    CHECK(line.append(text, message) == "");
    const auto begin = text.find(R"("topic":"t")") + 11;
    return text.substr(begin, text.find(R"(,"data_base64")") - begin);
  };
  CHECK(rest_of({}) == "");
  CHECK(rest_of({{"traceparent", "00-1"}, {"b2", "\""}}) == R"(,"traceparent":"00-1","b2":"\"")");
  CHECK(rest_of({{"traceparent", "00-1"}, {"X-Name", "a\"b"}}) ==
        R"(,"traceparent":"00-1","headers":"{\"traceparent\":\"00-1\",\"X-Name\":\"a\\\"b\"}")");
  for (const char* name :
       {"id", "source", "data", "topic", "headers", "partitionkey", "data_base64", "Upper", "a-b"})
    CHECK(rest_of({{name, "v"}}) == std::string(R"(,"headers":"{\")") + name + R"(\":\"v\"}")");
}

TEST_CASE("a message without a value has no data in its line") {
  EventLine line("/source", Attributes::minimal);
  Message message;
  message.topic = "t";
  std::string empty, tombstone;
  CHECK(line.append(empty, message) == "");
  message.is_tombstone = true;
  CHECK(line.append(tombstone, message) == "");
  CHECK(empty.ends_with(R"(,"topic":"t","data_base64":""})"
                        "\n"));
  CHECK(tombstone.ends_with(R"(,"topic":"t"})"
                            "\n"));
}

TEST_CASE("only what a crash left of a line of ours counts as torn") {
  CHECK(is_torn_event("{"));
  CHECK(is_torn_event(R"({"specversion":"1.0","id":"00000000)"));
  CHECK(is_torn_event(R"({"id":"00000000)"));
  CHECK(is_torn_event(std::string_view("\0\0\0", 3)));
  CHECK(!is_torn_event(R"({"identity":1})"));
  CHECK(!is_torn_event("[1]"));
  CHECK(!is_torn_event("text"));
}

}  // namespace
}  // namespace outbox
