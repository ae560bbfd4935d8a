// Signals as calls on a thread of their own. Make it before any other thread, so that all inherit the blocked
// set.
#pragma once

#include <functional>
#include <thread>

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

  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void listen(Handlers handlers);

 private:
  void run(const Handlers& handlers);

  int signals_;  ///< signalfd
  int end_;      ///< eventfd
  std::thread thread_;
};

}  // namespace outbox
