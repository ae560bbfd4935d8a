// Threads that need not be waited for, because a library blocks in them for as long as it likes. From any
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace outbox {

class BackgroundThread {
 public:
  /// Runs `work`, which owns all that it touches and does not throw, on a thread with this name. Throws
  /// std::system_error when there can be no more threads.
  BackgroundThread(const char* name, std::function<void()> work);

  /// False: the work takes longer, and the thread is left to itself.
  bool join_within(std::chrono::nanoseconds limit);

 private:
  struct Registry;
  struct Work;
  friend bool is_background_idle();

  std::shared_ptr<Work> work_;
};

/// Whether all that was left to itself is over.
bool is_background_idle();

/// A library that has begun to be used has threads of its own, and no way to wait for their end.
void leave_library_threads();

/// For the end of main(). exit() makes libraries free what a thread that was left to itself still uses: while
/// there is one, nothing is cleaned up.
[[noreturn]] void end_process(int code);

}  // namespace outbox
