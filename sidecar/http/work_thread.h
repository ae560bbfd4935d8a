// One thread for what may take long, with a bounded queue. Owned by the server; submit() from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/background.h"
#include "base/clock.h"

namespace outbox {

class WorkThread {
 public:
  explicit WorkThread(std::size_t waiting_max);
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;
  /// Drops what waits. Work that is running and does not end soon is left alone: it must own all that it
  /// touches.
  ~WorkThread();

  /// False: too much waits already. Work that has not begun at `expires` is dropped. Must not throw.
  [[nodiscard]] bool submit(std::function<void()> work, Instant expires);

 private:
  struct State;
  std::shared_ptr<State> state_;
  BackgroundThread thread_;
};

}  // namespace outbox
