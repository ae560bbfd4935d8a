#include "runtime/log.h"

#include <doctest/doctest.h>

#include <vector>

using namespace outbox;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view time_text = "2026-01-31T10:00:00.000Z";

std::string line(LogFormat format, std::string_view event, std::vector<Field> fields) {
  return rendered(format, time_text, Level::info, event, fields);
}

}  // namespace

TEST_CASE("a text line has time, level, event and fields") {
  CHECK(line(LogFormat::text, "relay started",
             {{"route", "orders"}, {"shard", 2}, {"paused", false}, {"seconds", 0.25}}) ==
        "2026-01-31T10:00:00.000Z info    relay started route=orders shard=2 paused=false seconds=0.25");
}

TEST_CASE("a JSON line has ts, level, msg and fields") {
  CHECK(
      line(LogFormat::json, "relay started", {{"route", "orders"}, {"shard", 2}, {"paused", true}}) ==
      R"({"ts":"2026-01-31T10:00:00.000Z","level":"info","msg":"relay started","route":"orders","shard":2,"paused":true})");
}

TEST_CASE("no value can begin a line of its own or command a terminal") {
  const std::string evil = "a\r\nb\x1b[2J\"\\\xC2\x9B\x7F";
  CHECK(line(LogFormat::text, "x", {{"error", evil}})
            .ends_with(R"(error="a\u000d\nb\u001b[2J\"\\\u009b\u007f")"));
  CHECK(line(LogFormat::json, "x", {{"error", evil}})
            .ends_with(R"("error":"a\u000d\nb\u001b[2J\"\\\u009b\u007f"})"));
  CHECK(line(LogFormat::text, "two\nlines", {}).ends_with(R"(two\nlines)"));
}

TEST_CASE("what is no UTF-8 is replaced, what is stays") {
  CHECK(
      line(LogFormat::json, "x", {{"v", "\xFF\xC0\xAFgrün"}}).ends_with("\"v\":\"\uFFFD\uFFFD\uFFFDgrün\"}"));
  CHECK(line(LogFormat::json, "x", {{"v", "\xED\xA0\x80"}}).ends_with("\"v\":\"\uFFFD\uFFFD\uFFFD\"}"));
}

TEST_CASE("a text value with blanks, quotes or nothing in it is quoted") {
  CHECK(line(LogFormat::text, "x", {{"v", "a b"}}).ends_with("v=\"a b\""));
  CHECK(line(LogFormat::text, "x", {{"v", ""}}).ends_with("v=\"\""));
  CHECK(line(LogFormat::text, "x", {{"v", "a=b"}}).ends_with("v=\"a=b\""));
}

TEST_CASE("a repeated line is counted within its interval and said again after it") {
  RepeatFilter filter(10s);
  const Instant start{};
  CHECK(filter.admit("down", start));
  CHECK_FALSE(filter.admit("down", start + 1s));
  CHECK_FALSE(filter.admit("down", start + 9s));
  CHECK(filter.admit("other", start + 9s));
  CHECK(filter.take_ended(start + 9s).empty());

  const auto ended = filter.take_ended(start + 10s);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].line == "down");
  CHECK(ended[0].times == 2);
  CHECK(filter.take_ended(start + 11s).empty());
  CHECK(filter.admit("down", start + 11s));
}

TEST_CASE("a line that comes back after its interval tells how often it was suppressed") {
  RepeatFilter filter(10s);
  const Instant start{};
  CHECK(filter.admit("down", start));
  CHECK_FALSE(filter.admit("down", start + 1s));
  CHECK(filter.admit("down", start + 20s));
  const auto ended = filter.take_ended(start + 20s);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].times == 1);
}

TEST_CASE("the filter forgets the oldest line rather than grow") {
  RepeatFilter filter(1h, 2);
  const Instant start{};
  CHECK(filter.admit("a", start));
  CHECK_FALSE(filter.admit("a", start));
  CHECK(filter.admit("b", start + 1s));
  CHECK(filter.admit("c", start + 2s));
  CHECK(filter.admit("a", start + 3s));
  const auto ended = filter.take_ended(start + 4s);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].line == "a");
}
