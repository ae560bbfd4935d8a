#include "base/json_text.h"

#include <array>
#include <bitset>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::size_t depth_max = 1000;

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

/// Bytes of a string that need no look: all but the quote, the backslash and control characters.
constexpr std::array<bool, 256> plain_bytes = [] {
  std::array<bool, 256> plain{};
  for (std::size_t i = 0x20; i < 256; ++i) plain[i] = i != '"' && i != '\\';
  return plain;
}();

// Of our own, because the text is to be passed on as it stands and never rebuilt: a library's parser takes a
// NUL for the end, skips a byte order mark, and refuses numbers beyond a double. Also five times as fast.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool scan() {
    skip_space();
    if (!value()) return false;
    while (depth_ > 0) {
      skip_space();
      if (at_ == end_) return false;
      const char c = *at_++;
      if (c == (in_object() ? '}' : ']')) {
        --depth_;
        continue;
      }
      if (c != ',') return false;
      skip_space();
      if (!(in_object() ? member() : value())) return false;
    }
    skip_space();
    return at_ == end_;
  }

 private:
  [[nodiscard]] bool in_object() const { return is_object_[depth_ - 1]; }

  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool take(char wanted) {
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  bool word(std::string_view wanted) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }

  /// A whole value, or the opening of an array or object up to and including its first value: scan() goes on
  /// from there, so that deep nesting costs no stack.
  bool value() {
    while (at_ < end_) {
      switch (*at_) {
        case '"':
          ++at_;
          return string();
        case 't':
          return word("true");
        case 'f':
          return word("false");
        case 'n':
          return word("null");
        case '[':
        case '{': {
          const bool is_object = *at_++ == '{';
          if (depth_ == depth_max) return false;
          is_object_[depth_++] = is_object;
          skip_space();
          if (take(is_object ? '}' : ']')) {
            --depth_;
            return true;
          }
          if (is_object && !name()) return false;
          continue;
        }
        default:
          return number();
      }
    }
    return false;
  }

  bool member() { return name() && value(); }

  bool name() {
    if (!take('"') || !string()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  bool string() {
    while (at_ < end_) {
      while (at_ < end_ && plain_bytes[static_cast<unsigned char>(*at_)]) ++at_;
      if (at_ == end_) return false;
      const char c = *at_++;
      if (c == '"') return true;
      if (c != '\\' || !escape()) return false;
    }
    return false;
  }

  bool escape() {
    if (at_ == end_) return false;
    const char c = *at_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    // Half a surrogate pair is allowed by the grammar, but many parsers would then refuse the whole line.
    const unsigned first = code_unit();
    if (first < 0xD800 || first > 0xDFFF) return first <= 0xFFFF;
    if (first > 0xDBFF || !word("\\u")) return false;
    const unsigned second = code_unit();
    return second >= 0xDC00 && second <= 0xDFFF;
  }

  /// Four hex digits; beyond 0xFFFF when they are not there.
  unsigned code_unit() {
    unsigned unit = 0;
    const auto [end, error] = std::from_chars(at_, end_ - at_ < 4 ? end_ : at_ + 4, unit, 16);
    if (error != std::errc{} || end != at_ + 4) return UINT32_MAX;
    at_ = end;
    return unit;
  }

  bool digits() {
    const char* const start = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ != start;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }

  const char* at_;
  const char* end_;
  std::size_t depth_ = 0;
  std::bitset<depth_max> is_object_;
};

}  // namespace

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

bool is_json(std::string_view text) {
  return is_utf8(text) && Scanner(text).scan();
}

bool is_nested_deeper(std::string_view json, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (in_string) continue;
    if ((c == '[' || c == '{') && ++depth > depth_max) return true;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return false;
}

}  // namespace outbox
