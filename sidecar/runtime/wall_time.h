// The date for people's eyes: logs and status. Nothing is decided by it.
#pragma once

#include <string>

namespace outbox {

/// Now, RFC 3339 in UTC, whole seconds.
std::string wall_time_text();

}  // namespace outbox
