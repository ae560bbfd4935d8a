#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace outbox {

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
