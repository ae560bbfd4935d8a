// A bell that any thread may ring and one thread waits for, with other file descriptors if it likes.
#pragma once

#include "base/clock.h"

namespace outbox {

class Wakeup {
 public:
  Wakeup();  ///< aborts when the process has no file descriptor left
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup();

  /// Any thread; does not block.
  void ring() noexcept;

  /// Waits until it is rung or was since the last wait; at most `timeout`. True: rung, and silent again.
  bool wait(Duration timeout);

  /// Readable while rung, for poll(); clear() makes it silent again.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  void clear() noexcept;

 private:
  int descriptor_;
};

/// poll()'s timeout: rounded up, so that it does not end before its time; negative durations are 0.
int poll_milliseconds(Duration timeout);

/// Writing to a closed pipe or socket, or beyond a file-size limit, becomes an error code instead of the
/// process's end. Leaves handlers alone that somebody has set.
void ignore_write_signals();

}  // namespace outbox
