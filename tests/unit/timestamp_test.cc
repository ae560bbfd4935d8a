#include "base/timestamp.h"

#include <doctest/doctest.h>

#include <chrono>

namespace outbox {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Timestamp noon() {
  using namespace std::chrono;
  return Timestamp(sys_days(year(2026) / 1 / 31)) + hours(12);
}

TEST_CASE("the form that the outbox table writes by default is read exactly") {
  CHECK(parse_timestamp("2026-01-31T12:00:00.000Z") == noon());
  CHECK(parse_timestamp("2026-01-31T12:34:56.789Z") ==
        noon() + minutes(34) + seconds(56) + microseconds(789'000));
  CHECK(parse_timestamp("1970-01-01T00:00:00.000Z") == Timestamp());
}

TEST_CASE("other spellings of the same moment are the same moment") {
  for (const char* text :
       {"2026-01-31T12:00:00Z", "2026-01-31 12:00:00", "2026-01-31t12:00:00z", "2026-01-31T12:00",
        "2026-01-31 12:00Z", "2026-01-31T12:00:00.000000000Z", "2026-01-31T12:00:00,0Z",
        "2026-01-31T13:00:00+01:00", "2026-01-31T13:00:00.000+01", "2026-01-31 07:30:00-0430",
        "2026-01-31 12:00:00.000000+00"}) {
    CAPTURE(text);
    CHECK(parse_timestamp(text) == noon());
  }
  CHECK(parse_timestamp("2026-01-31") == noon() - hours(12));
}

TEST_CASE("a fraction is cut off at a microsecond") {
  CHECK(parse_timestamp("2026-01-31T12:00:00.1Z") == noon() + microseconds(100'000));
  CHECK(parse_timestamp("2026-01-31T12:00:00.1234569Z") == noon() + microseconds(123'456));
}

TEST_CASE("an offset may lead over midnight, month and year") {
  CHECK(parse_timestamp("2024-02-29T23:30:00-01:00") == parse_timestamp("2024-03-01T00:30:00Z"));
  CHECK(parse_timestamp("2026-01-01T00:00:00+14:00") == parse_timestamp("2025-12-31T10:00:00.000Z"));
}

TEST_CASE("a leap second is the second that follows") {
  CHECK(parse_timestamp("2016-12-31T23:59:60Z") == parse_timestamp("2017-01-01T00:00:00.000Z"));
  CHECK(parse_timestamp("2016-12-31T23:59:60.000Z") == parse_timestamp("2017-01-01T00:00:00.000Z"));
}

TEST_CASE("what is no date is none") {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-01",
                           "2026-13-01",
                           "2026-02-30",
                           "2026-02-30T00:00:00.000Z",
                           "2026-00-10",
                           "2026-01-31T24:00:00.000Z",
                           "2026-01-31T12:60:00Z",
                           "2026-01-31T12:00:61.000Z",
                           "2026-01-31T",
                           "2026-01-31T12",
                           "2026-01-31T12:00:00.Z",
                           "2026-01-31T12:00:00+",
                           "2026-01-31T12:00:00+1",
                           "2026-01-31T12:00:00+01:0",
                           "2026-01-31T12:00:00+24:00",
                           "2026-01-31T12:00:00ZZ",
                           " 2026-01-31",
                           "2026-01-31 ",
                           "1769860800",
                           "2026-1-31",
                           "2026-01-31T12:00:00.0x0Z",
                           "20260131T120000Z",
                           "-026-01-31T12:00:00.000Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_timestamp(text).has_value());
  }
}

TEST_CASE("what is written is read back") {
  CHECK(format_timestamp(noon()) == "2026-01-31T12:00:00.000Z");
  CHECK(format_timestamp(noon() + microseconds(1)) == "2026-01-31T12:00:00.000001Z");
  CHECK(format_timestamp(Timestamp(microseconds(-1))) == "1969-12-31T23:59:59.999999Z");
  for (const std::int64_t count :
       {0LL, -1LL, 1'769'860'800'123'456LL, 951'782'400'000'000LL, -62'135'596'800'000'000LL}) {
    const Timestamp time{microseconds(count)};
    CHECK(parse_timestamp(format_timestamp(time)) == time);
  }
}

TEST_CASE("a date in whole seconds is cut, not rounded") {
  CHECK(format_in_seconds(*parse_timestamp("2026-01-31T12:00:00.999999Z")) == "2026-01-31T12:00:00Z");
  CHECK(format_in_seconds(*parse_timestamp("2026-01-31T12:00:00Z")) == "2026-01-31T12:00:00Z");
}

TEST_CASE("the time between two dates fits any moment of the clock, however far they are apart") {
  CHECK(between(noon(), noon() + seconds(1)) == seconds(1));
  CHECK(between(noon(), noon() - hours(1)) == -hours(1));
  const Timestamp never = *parse_timestamp("9999-12-31");
  CHECK(between(noon(), never) > hours(24) * 365 * 99);
  CHECK(between(never, noon()) < -hours(24) * 365 * 99);
  CHECK(between(noon(), never) < Duration::max() / 2);
  CHECK(between(never, noon()) > Duration::min() / 2);
}

}  // namespace
}  // namespace outbox
