// Signals as calls on a thread of their own. Make it before any other thread, so that all inherit the blocked
// set.
#pragma once

#include <functional>

#include "base/thread.h"
#include "base/wakeup.h"

namespace outbox {

class Signals {
 public:
  struct Handlers {
    std::function<void()> stop;    ///< the first SIGTERM or SIGINT; a second one ends the process at once
    std::function<void()> reload;  ///< SIGHUP
  };

  /// Blocks the signals from now on and ignores SIGPIPE; they wait until listen().
  Signals();
  ~Signals();

  void listen(Handlers handlers);

 private:
  void run(const Handlers& handlers);

  int signals_;  ///< signalfd
  Wakeup end_;
  Thread thread_;
};

}  // namespace outbox
