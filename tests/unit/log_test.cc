#include "runtime/log.h"

#include <doctest/doctest.h>

#include <vector>

#include "runtime/telling.h"

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

TEST_CASE("a trouble is told of when it begins, every five minutes, and when it has been over for a second") {
  using Tell = TroubleTelling::Tell;
  TroubleTelling telling;
  const Instant start{1h};
  CHECK(telling.look(start, false) == Tell::nothing);
  CHECK(telling.look(start, true) == Tell::begins);
  CHECK(telling.look(start + 299s, true) == Tell::nothing);
  CHECK(telling.look(start + 300s, true) == Tell::goes_on);
  CHECK(telling.look(start + 301s, true) == Tell::nothing);
  CHECK(telling.since() == start);
  CHECK(telling.look(start + 600s, true) == Tell::goes_on);
  CHECK(telling.look(start + 601s, false) == Tell::nothing);
  CHECK(telling.present());
  CHECK(telling.look(start + 602s, false) == Tell::ends);
  CHECK_FALSE(telling.present());
  CHECK(telling.look(start + 603s, true) == Tell::begins);  // however soon, it is another one
}

TEST_CASE("what comes and goes several times a second is one trouble") {
  using Tell = TroubleTelling::Tell;
  TroubleTelling telling;
  const Instant start{1h};
  CHECK(telling.look(start, true) == Tell::begins);
  for (int i = 1; i < 100; ++i) CHECK(telling.look(start + i * 100ms, i % 7 == 0) == Tell::nothing);
}

TEST_CASE("what is counted is told of at once, then once in a while, and at the end") {
  CountTelling telling(1s);
  const Instant start{1h};
  CHECK(telling.look(start, 0) == 0);
  CHECK(telling.look(start, 2) == 2);
  CHECK(telling.look(start + 10ms, 5) == 0);
  CHECK(telling.look(start + 1s, 6) == 4);
  CHECK(telling.look(start + 9s, 6) == 0);
  CHECK(telling.look(start + 9s, 7) == 1);
  CHECK(telling.rest(9) == 2);
  CHECK(telling.rest(9) == 0);
}
