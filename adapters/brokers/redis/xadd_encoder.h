// A message as an XADD command with CloudEvents fields. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "adapters/common/cloud_event.h"
#include "adapters/common/output_buffer.h"

namespace outbox {

/// What Redis takes in one string (proto-max-bulk-len), and so the most for a message.
inline constexpr std::size_t redis_message_bytes_max = std::size_t{512} << 20;

class XaddEncoder {
 public:
  /// length_max: streams are trimmed to about so many entries; 0: never. create_streams: XADD creates a
  /// stream that does not exist.
  XaddEncoder(std::string source, Attributes attributes, std::int64_t length_max, bool create_streams);

  /// Appends the command. On failure appends nothing and says why the message cannot be carried; empty: done.
  std::string append(OutputBuffer& to, const Message& message);

 private:
  CloudEvents events_;
  std::string options_;  ///< all between the stream's name and the fields, ready to be sent
  std::size_t words_;    ///< in the command beside the fields
};

}  // namespace outbox
