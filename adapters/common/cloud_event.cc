#include "adapters/common/cloud_event.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace outbox {
namespace {

void put_digits(char* at, unsigned value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

/// Names come from the row: shown in a reason, they must neither be long nor break its line.
std::string shown(std::string_view name) {
  return "'" + printable(name, 60) + "'";
}

bool starts_with(std::string_view name, std::string_view prefix, bool ignores_case) {
  const auto same = [=](char a, char b) { return (ignores_case ? lower(a) : a) == b; };
  return name.size() >= prefix.size() && std::ranges::equal(name.substr(0, prefix.size()), prefix, same);
}

/// RFC 9110, 5.6.2
bool is_token(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return is_alphanumeric(c, "!#$%&'*+-.^_`|~"); });
}

/// Without a branch per character: every header of every message passes here.
bool breaks_line(std::string_view text) {
  bool found = false;
  for (const char c : text) found |= c == '\r' || c == '\n' || c == '\0';
  return found;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool has_outer_blank(std::string_view text) {
  return !text.empty() && (is_blank(text.front()) || is_blank(text.back()));
}

/// What readers of HTTP's headers agree on (RFC 9110, 5.5): most take other bytes for Latin-1, and servers
/// refuse control characters. Without a branch per character: every header of every message passes here.
bool is_field_value(std::string_view text) {
  bool found = false;
  for (const char c : text) found |= (c < ' ' && c != '\t') || c > '~';
  return !found;
}

/// CloudEvents 1.0, type system: a string that is not empty.
bool is_attribute(std::string_view value) {
  return !value.empty() && is_plain_text(value);
}

std::string rule_broken(std::string_view name, std::string_view value, const HeaderRules& rules) {
  for (std::string_view reserved : rules.reserved_names)
    if (name.size() == reserved.size() && starts_with(name, reserved, rules.ignores_case))
      return "header " + shown(name) + " has a reserved name";
  for (std::string_view prefix : rules.reserved_prefixes)
    if (starts_with(name, prefix, rules.ignores_case))
      return "header " + shown(name) + " has a reserved name: it begins with " + shown(prefix);
  if (name.empty()) return "a header has an empty name";
  if (breaks_line(name)) return "header " + shown(name) + " has CR, LF or NUL in its name";
  if (breaks_line(value)) return "header " + shown(name) + " has CR, LF or NUL in its value";
  if (rules.is_token) {
    if (!is_token(name))
      return "header " + shown(name) + " has a character in its name that headers do not take";
    if (!is_field_value(value))
      return "header " + shown(name) + " has a control character or other than ASCII in its value";
    if (has_outer_blank(value)) return "header " + shown(name) + " has a blank at an end of its value";
  }
  if (rules.is_utf8) {
    if (!is_utf8(name)) return "header " + shown(name) + " is not UTF-8 in its name";
    if (!is_utf8(value)) return "header " + shown(name) + " is not UTF-8 in its value";
  }
  return {};
}

}  // namespace

std::string_view TimeText::of(Timestamp time) {
  using std::chrono::floor;
  const auto second = floor<std::chrono::seconds>(time);
  const std::int64_t count = second.time_since_epoch().count();
  if (count != second_) {
    second_ = count;
    const auto day = floor<std::chrono::days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(second - day);
    const int year = static_cast<int>(date.year());
    is_writable_ = date.ok() && year >= 1 && year <= 9999;
    if (is_writable_) {
      std::ranges::copy(std::string_view("0000-00-00T00:00:00.000000Z"), text_.begin());
      put_digits(&text_[0], static_cast<unsigned>(year), 4);
      put_digits(&text_[5], static_cast<unsigned>(date.month()), 2);
      put_digits(&text_[8], static_cast<unsigned>(date.day()), 2);
      put_digits(&text_[11], static_cast<unsigned>(clock.hours().count()), 2);
      put_digits(&text_[14], static_cast<unsigned>(clock.minutes().count()), 2);
      put_digits(&text_[17], static_cast<unsigned>(clock.seconds().count()), 2);
    }
  }
  if (!is_writable_) return {};
  put_digits(&text_[20], static_cast<unsigned>((time - second).count()), 6);
  return {text_.data(), text_.size()};
}

std::span<const Attribute> CloudEvents::of(const Message& message) {
  std::size_t count = 0;
  list_[count++] = {"id", message.id_text()};
  if (is_minimal()) return {list_.data(), count};
  list_[count++] = {"source", source_};
  list_[count++] = {"specversion", cloud_events_version};
  for (const std::string_view type : {message.type, message.topic})
    if (is_attribute(type)) {
      list_[count++] = {"type", type};
      break;
    }
  if (const auto time = time_.of(message.created_at); !time.empty()) list_[count++] = {"time", time};
  if (message.key && is_attribute(*message.key)) {
    list_[count++] = {"subject", *message.key};
    list_[count++] = {"partitionkey", *message.key};
  }
  return {list_.data(), count};
}

std::span<const Attribute> CloudEvents::beside_payload(const Message& message) {
  if (is_structured(content_type_of(message))) return {};
  return of(message);
}

bool is_structured(std::string_view content_type) {
  return starts_with(content_type, "application/cloudevents", true);
}

std::string_view deduplication_id(const Message& message, std::string& room) {
  if (message.replay == 0) return message.id_text();
  room.assign(message.id_text()).append("/r").append(std::to_string(message.replay));
  return room;
}

std::string_view content_type_of(const Message& message) {
  const std::string_view type = message.content_type;
  return is_printable_ascii(type) && !has_outer_blank(type) ? type : std::string_view();
}

std::string header_fault(const Message& message, const HeaderRules& rules) {
  if (!message.defect.empty()) return std::string(message.defect);
  for (const Header& header : message.headers)
    if (std::string fault = rule_broken(header.name, header.value, rules); !fault.empty()) return fault;
  return {};
}

}  // namespace outbox
