// What the process syncs to the disk while one of these lives: the test program's own fdatasync() stands
// before the C library's. Owned by the test, one at a time.
#pragma once

#include <cstddef>
#include <string>

namespace outbox::test {

class LogSyncs {
 public:
  /// Of one file. `error`: its syncs fail with that number of errno, 0: they succeed.
  explicit LogSyncs(std::string path, int error = 0);
  ~LogSyncs();
  LogSyncs(const LogSyncs&) = delete;
  LogSyncs& operator=(const LogSyncs&) = delete;

  /// How many there were.
  [[nodiscard]] std::size_t seen() const;
};

}  // namespace outbox::test
