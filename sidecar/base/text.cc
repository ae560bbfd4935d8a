#include "base/text.h"

#include <cstdint>
#include <cstring>

namespace outbox {
namespace {

constexpr std::uint64_t high_bits = 0x8080808080808080U;

constexpr std::uint64_t in_each_byte(unsigned char value) {
  return 0x0101010101010101U * value;
}

/// Whether one of eight bytes may be a control character, a quote or a backslash. Never misses one; the
/// borrow of the subtraction may report a neighbour, and then the slow way finds out.
bool needs_escape(const char* eight) {
  std::uint64_t word;
  std::memcpy(&word, eight, sizeof word);
  const auto has_zero = [](std::uint64_t bytes) { return (bytes - in_each_byte(1)) & ~bytes & high_bits; };
  const std::uint64_t controls = (word - in_each_byte(0x20)) & ~word & high_bits;
  return (controls | has_zero(word ^ in_each_byte('"')) | has_zero(word ^ in_each_byte('\\'))) != 0;
}

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

/// The length of the UTF-8 sequence that begins with a byte beyond ASCII, 0 when there is no valid one. The
/// first continuation byte is what tells overlong forms, surrogates and too large code points (Unicode, table
/// 3-7).
std::size_t sequence_length(const unsigned char* at, std::size_t left) {
  const unsigned char first = at[0];
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_continuation(at[i])) return 0;
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at < end) {
    if (end - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, at, sizeof word);
      if ((word & high_bits) == 0) {
        at += 8;
        continue;
      }
    }
    if (*at < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = sequence_length(at, static_cast<std::size_t>(end - at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string storable(std::string_view text, std::size_t characters_max) {
  std::string result;
  for (std::size_t at = 0; at < text.size() && characters_max > 0; --characters_max) {
    const auto* first = reinterpret_cast<const unsigned char*>(text.data()) + at;
    const bool ascii = *first < 0x80;
    const std::size_t length = ascii ? 1 : sequence_length(first, text.size() - at);
    if (length == 0 || *first == 0)
      result += '?';
    else
      result += text.substr(at, length);
    at += length == 0 ? 1 : length;
  }
  return result;
}

void append_base64(std::string& to, std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t start = to.size();
  to.resize(start + (bytes.size() + 2) / 3 * 4, '=');
  char* out = to.data() + start;
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, in += 3) {
    const unsigned group = in[0] << 16U | in[1] << 8U | in[2];
    *out++ = digits[group >> 18U];
    *out++ = digits[group >> 12U & 63U];
    *out++ = digits[group >> 6U & 63U];
    *out++ = digits[group & 63U];
  }
  if (left == 0) return;
  const unsigned group = in[0] << 16U | (left == 2 ? in[1] << 8U : 0U);
  *out++ = digits[group >> 18U];
  *out++ = digits[group >> 12U & 63U];
  if (left == 2) *out++ = digits[group >> 6U & 63U];
}

void append_percent_encoded(std::string& to, std::string_view text) {
  for (const char c : text) {
    if (c > ' ' && c < 0x7F && c != '"' && c != '%') {
      to += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    to += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
  }
}

void append_json_string(std::string& to, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  to += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    while (text.size() - i > 8 && !needs_escape(text.data() + i)) i += 8;
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    to.append(text, plain, i - plain);
    plain = i + 1;
    if (byte >= 0x20) {
      to += '\\';
      to += text[i];
    } else {
      to += "\\u00";
      to += hex[byte >> 4U];
      to += hex[byte & 15U];
    }
  }
  to.append(text, plain);
  to += '"';
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
