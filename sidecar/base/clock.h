// Time as all of the program has it: a monotonic clock to decide by, dates to show. Any thread.
#pragma once

#include <chrono>

namespace outbox {

/// Monotonic.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

inline Instant now() {
  return std::chrono::steady_clock::now();
}

inline double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// A date, microseconds since 1970 UTC.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// This machine's date. For people and for databases that have no clock of their own: nothing that two
/// machines must agree on is decided by it.
inline Timestamp wall_clock() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace outbox
