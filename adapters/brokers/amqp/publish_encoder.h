// A message as basic.publish with its properties and its body, cut into frames. Belongs to one broker and its
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/amqp/amqp_frames.h"
#include "adapters/common/cloud_event.h"
#include "adapters/common/output_buffer.h"

namespace outbox {

/// The most that RabbitMQ can be configured to take (max_message_size).
inline constexpr std::size_t amqp_message_bytes_max = std::size_t{512} << 20;
inline constexpr std::uint16_t publish_channel = 1;

class PublishEncoder {
 public:
  /// attribute_prefix: "cloudEvents_" or "ce-".
  PublishEncoder(std::string source, Attributes attributes, std::string exchange,
                 std::string_view attribute_prefix);

  /// As the server has agreed to, overhead included.
  void set_frame_max(std::size_t frame_max) { frame_max_ = frame_max; }

  /// Appends the frames. On failure appends nothing and says why the message cannot be carried; empty: done.
  std::string append(OutputBuffer& to, const Message& message);

 private:
  std::string fault_of(const Message& message) const;
  [[nodiscard]] std::string_view amqp_name_of(std::string_view attribute) const;
  std::size_t collect_headers(const Message& message);
  void add_header(std::string_view name, std::string_view value);
  void write_publish(FrameWriter& writer, const Message& message) const;
  int write_properties(FrameWriter& writer, const Message& message, std::size_t size_max);
  void write_body(FrameWriter& writer, std::string_view payload) const;

  CloudEvents events_;
  std::string exchange_;
  HeaderRules rules_;
  std::size_t prefix_size_;
  std::vector<std::string> attribute_names_;  ///< with the prefix, in the order in which they come
  std::size_t frame_max_ = 4096;
  std::vector<amqp_table_entry_t> headers_;  ///< of the message at hand
  std::string_view type_;                    ///< ditto, as the attribute has it
};

}  // namespace outbox
