#include "tests/support/decode.h"

#include <cstddef>

namespace outbox::test {

std::string from_base64(std::string_view text) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6U | static_cast<unsigned>(digits.find(c));
    if ((count += 6) < 8) continue;
    bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

std::string from_hexadecimal(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string from_percent(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      bytes += text[i];
      continue;
    }
    bytes += from_hexadecimal(text.substr(i + 1, 2));
    i += 2;
  }
  return bytes;
}

}  // namespace outbox::test
