#include "http/work_thread.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace outbox {
namespace {

/// How long the end of the process waits for a database that may be gone for good.
constexpr auto farewell = std::chrono::seconds(2);

}  // namespace

struct WorkThread::State {
  struct Work {
    std::function<void()> run;
    Instant expires;
  };

  explicit State(std::size_t most) : waiting_max(most) {}

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (stopping) break;
      Work work = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      if (now() < work.expires) work.run();
      work = {};
      lock.lock();
    }
  }

  const std::size_t waiting_max;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> waiting;
  bool stopping = false;
};

WorkThread::WorkThread(std::size_t waiting_max)
    : state_(std::make_shared<State>(waiting_max)),
      thread_("http-work", [state = state_] { state->run(); }) {}

WorkThread::~WorkThread() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->waiting.clear();
    state_->changed.notify_all();
  }
  thread_.join_within(farewell);
}

bool WorkThread::submit(std::function<void()> work, Instant expires) {
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.size() >= state_->waiting_max) return false;
  state_->waiting.push_back({std::move(work), expires});
  state_->changed.notify_all();
  return true;
}

}  // namespace outbox
