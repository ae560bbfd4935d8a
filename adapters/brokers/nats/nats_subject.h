// Which topics are subjects that a message may be published to. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox {

/// A server ends the connection of a client that sends a longer line than its max_control_line (4096 bytes);
/// the reply subject and two sizes are on it as well.
inline constexpr std::size_t nats_subject_bytes_max = 3500;

/// Why nothing can be published to it; empty: it can. Shows the subject.
std::string nats_subject_fault(std::string_view subject);

/// The same for a row's topic, which must not be one of the server's own subjects either.
std::string nats_topic_fault(std::string_view topic);

}  // namespace outbox
