// Numbers and texts of a protocol whose numbers begin with their highest byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::test {

/// The lowest so many bytes of it.
inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// With its length before it.
inline std::string sized(std::string_view text, int bytes_of_size) {
  return number(text.size(), bytes_of_size) + std::string(text);
}

/// Takes from the front; throws when there is less.
class Fields {
 public:
  explicit Fields(std::string_view rest) : rest_(rest) {}

  std::string_view text(std::size_t size) {
    if (rest_.size() < size) throw std::runtime_error("the bytes end early");
    const std::string_view result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }
  std::string sized(int bytes_of_size) { return std::string(text(number(bytes_of_size))); }
  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (const char byte : text(static_cast<std::size_t>(bytes)))
      value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  /// Seven bits at a time, lowest first, the sign in the lowest bit.
  std::int64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t byte = number(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  [[nodiscard]] std::size_t size() const { return rest_.size(); }
  [[nodiscard]] bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace outbox::test
