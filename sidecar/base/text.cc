#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace outbox {
namespace {

/// Precondition: valid UTF-8.
bool has_unsafe_character(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned first = byte(i);
    if (first < 0x20 || first == 0x7F) return true;
    if (first < 0x80) continue;
    if (first == 0xC2 && byte(i + 1) < 0xA0) return true;  // U+0080 to U+009F
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    const unsigned last = byte(i + length - 1), before = byte(i + length - 2);
    if (first == 0xEF && before == 0xB7 && last >= 0x90 && last <= 0xAF) return true;  // U+FDD0 to U+FDEF
    // U+xFFFE and U+xFFFF of every plane.
    if (last >= 0xBE && before == 0xBF &&
        ((length == 3 && first == 0xEF) || (length == 4 && (byte(i + 1) & 0x0F) == 0x0F)))
      return true;
    i += length - 1;
  }
  return false;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool same_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

/// The first continuation byte is what tells overlong forms, surrogates and too large code points (Unicode,
/// table 3-7).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  return length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data(), sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        text.remove_prefix(8);
        continue;
      }
    }
    const bool is_ascii = static_cast<unsigned char>(text[0]) < 0x80;
    const std::size_t length = is_ascii ? 1 : utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Eight bytes at a time: keys, types and content types of all messages pass here.
bool is_printable_ascii(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101U, highs = 0x80 * ones;
  const auto is_word_printable = [](const char* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t deletes = word ^ 0x7F * ones;
    return (((word - 0x20 * ones) | word | ((deletes - ones) & ~deletes)) & highs) == 0;
  };
  if (text.size() < 8) return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  for (std::size_t i = 0; i + 8 <= text.size(); i += 8)
    if (!is_word_printable(text.data() + i)) return false;
  return is_word_printable(text.data() + text.size() - 8);
}

bool is_plain_text(std::string_view text) {
  return is_printable_ascii(text) || (is_utf8(text) && !has_unsafe_character(text));
}

std::string storable(std::string_view text, std::size_t characters_max) {
  std::string result;
  for (; !text.empty() && characters_max > 0; --characters_max) {
    const std::size_t length = utf8_length(text);
    if (length == 0 || text[0] == '\0')
      result += '?';
    else
      result += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

std::string cut(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t shown = 0; shown < shown_characters_max && end < text.size(); ++shown)
    end += std::max<std::size_t>(utf8_length(text.substr(end)), 1);
  if (end == text.size()) return std::string(text);
  return std::string(text.substr(0, end)) + "... (cut)";
}

std::string printable(std::string_view text, std::size_t length_max) {
  std::string result(text.substr(0, length_max));
  for (char& c : result)
    if (c < ' ' || c > '~') c = '?';
  if (text.size() > length_max) result += "...";
  return result;
}

std::string shown_without(std::string_view secret, std::string_view text, std::size_t length_max) {
  std::string shown(text);
  for (std::size_t at = 0; !secret.empty() && (at = shown.find(secret, at)) != shown.npos; at += 3)
    shown.replace(at, secret.size(), "***");
  return printable(shown, length_max);
}

}  // namespace outbox
