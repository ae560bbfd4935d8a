// AMQP 0-9-1 frames as bytes: written to memory, read with librabbitmq's parser. Belongs to one connection
// and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "adapters/brokers/amqp/amqp_library.h"
#include "adapters/common/output_buffer.h"

namespace outbox {

/// What surrounds a frame's contents: type, channel and size before them, an end mark behind.
inline constexpr std::size_t frame_overhead = 8;

/// Writes to memory that the caller has made large enough.
class FrameWriter {
 public:
  explicit FrameWriter(char* at) : start_(at), at_(at) {}

  void begin(std::uint8_t type, std::uint16_t channel) {
    number(type);
    number(channel);
    size_at_ = at_;
    number(std::uint32_t{0});
  }
  void end() {
    char* const end = at_;
    at_ = size_at_;
    number(static_cast<std::uint32_t>(end - size_at_ - 4));
    at_ = end;
    number(std::uint8_t{AMQP_FRAME_END});
  }
  /// In network order.
  template <class Unsigned>
  void number(Unsigned value) {
    for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
      *at_++ = static_cast<char>(value >> shift & 0xFF);
  }
  void raw(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  /// Precondition: at most 255 bytes.
  void short_string(std::string_view text) {
    number(static_cast<std::uint8_t>(text.size()));
    raw(text);
  }
  /// So many bytes have been written at here() by somebody else.
  void skip(std::size_t size) { at_ += size; }
  [[nodiscard]] char* here() { return at_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - start_); }

 private:
  char* const start_;
  char* at_;
  char* size_at_ = nullptr;
};

/// Appends one method. `arguments`: librabbitmq's struct of it; together they take at most so many bytes.
void append_method(OutputBuffer& to, std::uint16_t channel, amqp_method_number_t method, void* arguments,
                   std::size_t size_max = 4096);
void append_heartbeat(OutputBuffer& to);

class FrameReader {
 public:
  FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;
  ~FrameReader();

  /// Forgets all it was given, for a new connection.
  void reset();
  /// Larger frames are an error from now on.
  void limit(std::size_t frame_max);

  /// Takes bytes as they came and calls `use` for each frame that they complete, until it returns false. A
  /// frame is valid during its call. False: that is no AMQP, see error().
  bool feed(std::string_view bytes, const std::function<bool(const amqp_frame_t&)>& use);
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  amqp_connection_state_t parser_;
  std::string error_;
};

}  // namespace outbox
