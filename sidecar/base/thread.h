// A thread with a name, begun and ended in one way. Belongs to its owner, but for stopping().
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace outbox {

/// Names the calling thread, as top, gdb and core dumps show it; at most 15 bytes are kept.
inline void name_thread(std::string_view name) {
  pthread_setname_np(pthread_self(), std::string(name.substr(0, 15)).c_str());
}

/// As a class's last member it ends before what its work uses.
class Thread {
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { stop(); }

  /// Runs `work` on a thread of its own, once: a second call does nothing, nor does one after stop(). `wake`
  /// must get the work to look at stopping(), from any thread.
  void start(std::string name, std::function<void()> work, std::function<void()> wake) {
    if (thread_.joinable() || stopping_) return;
    wake_ = std::move(wake);
    thread_ = std::thread([name = std::move(name), work = std::move(work)] {
      name_thread(name);
      work();
    });
  }

  /// From now on stopping(); returns when the work has. A second call does nothing.
  void stop() {
    stopping_ = true;
    if (!thread_.joinable()) return;
    wake_();
    thread_.join();
  }

  /// Any thread.
  [[nodiscard]] bool stopping() const { return stopping_; }

 private:
  std::atomic<bool> stopping_ = false;
  std::function<void()> wake_;
  std::thread thread_;
};

}  // namespace outbox
