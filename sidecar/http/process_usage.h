// What this process uses of the machine, read from /proc. Any thread.
#pragma once

#include <cstdint>

namespace outbox {

struct ProcessUsage {
  double cpu_seconds = 0;  ///< user and system
  std::int64_t open_fds = 0;
  double max_fds = 0;
  std::int64_t virtual_memory_bytes = 0;
  double virtual_memory_max_bytes = 0;  ///< infinity: no limit
  std::int64_t resident_memory_bytes = 0;
  double start_time_seconds = 0;  ///< since 1970
  std::int64_t threads = 0;
};

/// What cannot be read stays 0.
[[nodiscard]] ProcessUsage process_usage();

}  // namespace outbox
