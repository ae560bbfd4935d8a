// Bytes as text: UTF-8, ASCII's letters and digits whatever the locale, numbers, and what may be shown to
// people. Pure.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A letter, a digit, or one of `more`.
constexpr bool is_alphanumeric(char c, std::string_view more = {}) {
  return is_letter(c) || is_digit(c) || more.find(c) != more.npos;
}

/// Of ASCII's letters; all else stays.
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string lower(std::string_view text);

bool same_ignoring_case(std::string_view left, std::string_view right);

/// The whole text as a number; nullopt: it is none, or too large for the type.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

/// Length of the UTF-8 sequence at the front; 0: there is no valid one. Strictly: no overlong forms, no
/// surrogates, nothing beyond U+10FFFF. Precondition: not empty.
std::size_t utf8_length(std::string_view text);

/// As strictly.
bool is_utf8(std::string_view text);

/// From ' ' to '~'.
bool is_printable_ascii(std::string_view text);

/// Valid UTF-8 without control characters and what Unicode calls noncharacters: what CloudEvents calls a
/// string, and what MQTT servers take.
bool is_plain_text(std::string_view text);

/// What every database takes as text: at most so many characters, UTF-8 without NUL. A byte that is neither
/// becomes '?'.
std::string storable(std::string_view text, std::size_t characters_max);

/// Of a text of any length, this much is shown in answers, tables and the log.
inline constexpr std::size_t shown_characters_max = 256;

/// So much of it, and where that is not all, that it is cut. A byte that is no UTF-8 counts as a character,
/// and stays.
std::string cut(std::string_view text);

/// What a server says, for reasons and logs: `secret`, wherever it stands, as "***", then printable().
std::string shown_without(std::string_view secret, std::string_view text, std::size_t length_max);

/// For reasons and logs: control characters and what is not ASCII become '?', and what is longer ends in
/// "...".
std::string printable(std::string_view text, std::size_t length_max);

}  // namespace outbox
