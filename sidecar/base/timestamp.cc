#include "base/timestamp.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>

#include "base/text.h"

namespace outbox {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// What remains to be read; each function takes its part or leaves everything and says no.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_digit(rest_[i])) return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  /// Any number of digits, at least one; as microseconds.
  std::optional<microseconds> fraction() {
    if (rest_.empty() || !is_digit(rest_.front())) return std::nullopt;
    std::int64_t value = 0, unit = 100'000;
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1), unit /= 10)
      value += (rest_.front() - '0') * unit;
    return microseconds(value);
  }

 private:
  std::string_view rest_;
};

std::optional<Timestamp> day_of(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date));
}

/// 12:00, 12:00:00, 12:00:00.5
std::optional<microseconds> time_of_day(Cursor& cursor) {
  const auto hour = cursor.number(2);
  if (!hour || *hour > 23 || !cursor.take(":")) return std::nullopt;
  const auto minute = cursor.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  microseconds result = hours(*hour) + minutes(*minute);
  if (!cursor.take(":")) return result;
  const auto second = cursor.number(2);
  if (!second || *second > 60) return std::nullopt;
  result += seconds(*second);
  if (!cursor.take(".,")) return result;
  const auto fraction = cursor.fraction();
  if (!fraction) return std::nullopt;
  return result + *fraction;
}

/// Z, +01:00, -0130, +01, or nothing
std::optional<minutes> offset_of(Cursor& cursor) {
  if (cursor.done() || cursor.take("Zz")) return minutes(0);
  const bool west = cursor.take("-");
  if (!west && !cursor.take("+")) return std::nullopt;
  const auto hour = cursor.number(2);
  if (!hour || *hour > 23) return std::nullopt;
  minutes result = hours(*hour);
  if (!cursor.done()) {
    cursor.take(":");
    const auto minute = cursor.number(2);
    if (!minute || *minute > 59) return std::nullopt;
    result += minutes(*minute);
  }
  return west ? -result : result;
}

/// The form that the outbox table's own default writes, with no branch per character:
/// 2026-01-31T12:00:00.000Z
std::optional<Timestamp> canonical(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  if (text.size() != form.size()) return std::nullopt;
  unsigned wrong = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const unsigned c = static_cast<unsigned char>(text[i]);
    wrong |= form[i] == '0' ? static_cast<unsigned>(c - '0' > 9)
                            : static_cast<unsigned>(c != static_cast<unsigned char>(form[i]));
  }
  if (wrong) return std::nullopt;
  const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  const int hour = two(11), minute = two(14), second = two(17);
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto day = day_of(two(0) * 100 + two(2), two(5), two(8));
  if (!day) return std::nullopt;
  return *day + hours(hour) + minutes(minute) + seconds(second) +
         std::chrono::milliseconds((text[20] - '0') * 100 + two(21));
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  if (const auto found = canonical(text)) return found;
  Cursor cursor(text);
  const auto year = cursor.number(4);
  if (!year || !cursor.take("-")) return std::nullopt;
  const auto month = cursor.number(2);
  if (!month || !cursor.take("-")) return std::nullopt;
  const auto day = cursor.number(2);
  if (!day) return std::nullopt;
  const auto date = day_of(*year, *month, *day);
  if (!date || cursor.done()) return date;
  if (!cursor.take("Tt ")) return std::nullopt;
  const auto time = time_of_day(cursor);
  if (!time) return std::nullopt;
  const auto offset = offset_of(cursor);
  if (!offset || !cursor.done()) return std::nullopt;
  return *date + *time - *offset;
}

Duration between(Timestamp from, Timestamp to) {
  constexpr microseconds most = days(36'600);
  return std::clamp(to - from, -most, most);
}

std::string format_timestamp(Timestamp time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::int64_t within = (time - day).count();
  const auto fraction = static_cast<int>(within % 1'000'000);
  const auto second_of_day = static_cast<int>(within / 1'000'000);
  const bool fine = fraction % 1000 != 0;
  char text[64];
  const int size = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%0*dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second_of_day / 3600,
      second_of_day / 60 % 60, second_of_day % 60, fine ? 6 : 3, fine ? fraction : fraction / 1000);
  return {text, static_cast<std::size_t>(size)};
}

std::string format_in_seconds(Timestamp time) {
  const std::string text = format_timestamp(time);
  return text.substr(0, text.find('.')) + "Z";
}

}  // namespace outbox
