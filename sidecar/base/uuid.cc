#include "base/uuid.h"

#include <cstring>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::array<std::array<char, 2>, 256> hex_pairs = [] {
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte)
    pairs[byte] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  return pairs;
}();

}  // namespace

void format_uuid(std::string_view bytes, UuidText& text) {
  constexpr std::array<std::size_t, 16> places = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  for (std::size_t i = 0; i < 16; ++i)
    std::memcpy(&text[places[i]], hex_pairs[static_cast<unsigned char>(bytes[i])].data(), 2);
  text[8] = text[13] = text[18] = text[23] = '-';
}

bool copy_uuid(std::string_view from, UuidText& text) {
  if (from.size() != text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = lower(from[i]);
    const bool dash_here = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash_here ? c != '-' : !is_digit(c) && (c < 'a' || c > 'f')) return false;
    text[i] = c;
  }
  return true;
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  UuidText canonical;
  if (!copy_uuid(text, canonical)) return std::nullopt;
  return std::string(canonical.data(), canonical.size());
}

}  // namespace outbox
