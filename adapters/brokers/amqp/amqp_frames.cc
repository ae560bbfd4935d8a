#include "adapters/brokers/amqp/amqp_frames.h"

#include <cassert>
#include <cstdlib>

namespace outbox {

void append_method(OutputBuffer& to, std::uint16_t channel, amqp_method_number_t method, void* arguments,
                   std::size_t size_max) {
  FrameWriter writer(to.reserve(size_max + 4 + frame_overhead));
  writer.begin(AMQP_FRAME_METHOD, channel);
  writer.number(std::uint32_t{method});
  const int size = amqp_encode_method(method, arguments, {size_max, writer.here()});
  assert(size >= 0);
  writer.skip(static_cast<std::size_t>(size));
  writer.end();
  to.commit(writer.size());
}

void append_heartbeat(OutputBuffer& to) {
  FrameWriter writer(to.reserve(frame_overhead));
  writer.begin(AMQP_FRAME_HEARTBEAT, 0);
  writer.end();
  to.commit(writer.size());
}

FrameReader::FrameReader() : parser_(amqp_new_connection()) {
  if (!parser_) std::abort();  // out of memory
}

FrameReader::~FrameReader() {
  amqp_destroy_connection(parser_);
}

void FrameReader::reset() {
  amqp_destroy_connection(parser_);
  parser_ = amqp_new_connection();
  if (!parser_) std::abort();
  error_.clear();
}

void FrameReader::limit(std::size_t frame_max) {
  if (amqp_tune_connection(parser_, 0, static_cast<int>(frame_max), 0) != AMQP_STATUS_OK) std::abort();
}

bool FrameReader::feed(std::string_view bytes, const std::function<bool(const amqp_frame_t&)>& use) {
  while (!bytes.empty()) {
    amqp_frame_t frame{};
    const int taken = amqp_handle_input(parser_, amqp_bytes_of(bytes), &frame);
    if (taken <= 0) {
      error_ = taken < 0 ? amqp_error_string2(taken) : "unexpected bytes";
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(taken));
    if (frame.frame_type == 0) continue;
    const bool goes_on = use(frame);
    amqp_maybe_release_buffers(parser_);
    if (!goes_on) break;
  }
  return true;
}

}  // namespace outbox
