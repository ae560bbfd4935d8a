// The log: one line per batch or state change on stderr, as text or JSON. Any thread. Values are escaped;
// what is secret or payload must not be handed over.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace outbox {

enum class Level { debug, info, warning, error };

/// A name of the fixed set (route, shard, error, ...) with its value. Looks at text, so use it within the
/// call only.
struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view field, std::string_view text) : name(field), value(text) {}
  Field(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
  Field(std::string_view field, const std::string& text) : name(field), value(std::string_view(text)) {}
  Field(std::string_view field, bool flag) : name(field), value(flag) {}
  Field(std::string_view field, double number) : name(field), value(number) {}
  template <std::integral Number>
  Field(std::string_view field, Number number) : name(field), value(static_cast<std::int64_t>(number)) {}
};

/// `format` is "text" or "json", `level` one of debug, info, warning, error. Without this call: text, info.
void set_up_log(std::string_view format, std::string_view level);

/// Text: `2026-01-31T10:00:00.000Z info  event name=value ...`; JSON: ts, level, msg = event, then the
/// fields. What may come often is told by who keeps count of it, see telling.h: no line is left out here.
void log_line(Level level, std::string_view event, std::initializer_list<Field> fields = {});

/// Empties the buffers. Call before the process ends.
void flush_log();

/// Pure: the line as log_line writes it, without its end.
enum class LogFormat { text, json };
std::string rendered(LogFormat format, std::string_view timestamp, Level level, std::string_view event,
                     std::span<const Field> fields);

}  // namespace outbox
