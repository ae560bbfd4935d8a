// Writes Redis' request format (RESP2): arrays of byte strings with their lengths before them.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "adapters/common/output_buffer.h"

namespace outbox {

/// The most that the length and the line ends around a string take.
inline constexpr std::size_t resp_overhead = 26;

/// Writes to memory that the caller has made large enough.
class RespWriter {
 public:
  explicit RespWriter(char* at) : start_(at), at_(at) {}

  void raw(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void array(std::size_t count) { length('*', count); }
  void bulk(std::string_view bytes) {
    length('$', bytes.size());
    raw(bytes);
    raw("\r\n");
  }
  /// One string out of two parts.
  void bulk(std::string_view first, std::string_view second) {
    length('$', first.size() + second.size());
    raw(first);
    raw(second);
    raw("\r\n");
  }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - start_); }

 private:
  void length(char kind, std::size_t value) {
    *at_++ = kind;
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    *at_++ = '\r';
    *at_++ = '\n';
  }

  char* const start_;
  char* at_;
};

/// Appends one command.
template <class... Words>
void append_command(OutputBuffer& to, const Words&... words) {
  const std::size_t size_max =
      (std::string_view(words).size() + ...) + (sizeof...(words) + 1) * resp_overhead;
  RespWriter writer(to.reserve(size_max));
  writer.array(sizeof...(words));
  (writer.bulk(std::string_view(words)), ...);
  to.commit(writer.size());
}

}  // namespace outbox
