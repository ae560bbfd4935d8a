#include "runtime/log_text.h"

#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "base/timestamp.h"

namespace outbox {
namespace log_text {
namespace {

void append_escape(std::string& line, unsigned code) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", code);
  line += escape;
}

bool is_plain(std::string_view value) {
  if (value.empty()) return false;
  for (unsigned char c : value)
    if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\') return false;
  return true;
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "";
}

void append_name_and_value(std::string& line, std::string_view name, std::string_view value) {
  line += name;
  line += '=';
  if (is_plain(value))
    line += value;
  else
    append_quoted(line, value);
}

void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const auto first = static_cast<unsigned char>(value[0]);
    if (length == 0)
      line += "\xEF\xBF\xBD";
    else if (length == 2 && first == 0xC2 && static_cast<unsigned char>(value[1]) < 0xA0)
      append_escape(line, static_cast<unsigned char>(value[1]));
    else if (first == '"' || first == '\\')
      (line += '\\') += value[0];
    else if (first == '\n')
      line += "\\n";
    else if (first == '\t')
      line += "\\t";
    else if (first < 0x20 || first == 0x7F)
      append_escape(line, first);
    else
      line += value.substr(0, length);
    value.remove_prefix(length == 0 ? 1 : length);
  }
  line += '"';
}

std::string timestamp_now() {
  return format_timestamp(std::chrono::floor<std::chrono::milliseconds>(wall_clock()));
}

}  // namespace log_text

namespace {

std::string number_text(double number) {
  if (!std::isfinite(number)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

/// Numbers and booleans read the same in both formats; text is left to the caller.
std::string plain_text(const Field& field) {
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&field.value)) return std::to_string(*number);
  return number_text(std::get<double>(field.value));
}

}  // namespace

std::string rendered(LogFormat format, std::string_view timestamp, Level level, std::string_view event,
                     std::span<const Field> fields) {
  const bool json = format == LogFormat::json;
  std::string line(json ? "{\"ts\":\"" : "");
  line += timestamp;
  if (json) {
    ((line += "\",\"level\":\"") += log_text::name_of(level)) += "\",\"msg\":";
    log_text::append_quoted(line, event);
  } else {
    std::string name(log_text::name_of(level));
    name.resize(std::string_view("warning").size(), ' ');
    ((line += ' ') += name) += ' ';
    std::string quoted;
    log_text::append_quoted(quoted,
                            event);  // an event never holds control characters unless a text slipped in
    line += std::string_view(quoted).substr(1, quoted.size() - 2);
  }
  for (const Field& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (json) {
      line += ',';
      log_text::append_quoted(line, field.name);
      line += ':';
      if (text)
        log_text::append_quoted(line, *text);
      else
        line += plain_text(field);
    } else {
      line += ' ';
      if (text)
        log_text::append_name_and_value(line, field.name, *text);
      else
        ((line += field.name) += '=') += plain_text(field);
    }
  }
  if (json) line += '}';
  return line;
}

}  // namespace outbox
