#include "base/encoding.h"

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// -1: it is none.
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void append_byte(std::string& to, char byte, std::string_view digits) {
  const auto value = static_cast<unsigned char>(byte);
  to += {digits[value >> 4U], digits[value & 15U]};
}

}  // namespace

void append_base64(std::string& to, std::string_view bytes) {
  constexpr std::string_view digits = base64_digits;
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

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const auto digit = base64_digits.find(c);
    if (digit == base64_digits.npos) return std::nullopt;
    bits = bits << 6U | static_cast<unsigned>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFFU);
  }
  return bytes;
}

void append_hex(std::string& to, std::string_view bytes) {
  to.reserve(to.size() + 2 * bytes.size());
  for (const char byte : bytes) append_byte(to, byte, "0123456789abcdef");
}

std::optional<std::string> decode_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

void append_percent(std::string& to, char byte) {
  to += '%';
  append_byte(to, byte, "0123456789ABCDEF");
}

void append_percent_encoded(std::string& to, std::string_view text) {
  for (const char c : text) {
    if (c > ' ' && c < 0x7F && c != '"' && c != '%')
      to += c;
    else
      append_percent(to, c);
  }
}

}  // namespace outbox
