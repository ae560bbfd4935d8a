#include "base/background.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace outbox {
namespace {

std::atomic<bool> has_library_threads = false;

}  // namespace

struct BackgroundThread::Work {
  bool is_over = false;
  std::thread thread;
};

struct BackgroundThread::Registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Work>> works;

  static Registry& instance() {
    static Registry& one = *new Registry;  // outlives every thread
    return one;
  }

  /// A thread is over a little later than its work; joined, it has left its libraries as well.
  void join_what_is_over() {
    std::erase_if(works, [](const std::shared_ptr<Work>& work) {
      if (!work->is_over) return false;
      work->thread.join();
      return true;
    });
  }

  void end(Work& work) {
    const std::lock_guard lock(mutex);
    work.is_over = true;
    changed.notify_all();
  }
};

BackgroundThread::BackgroundThread(const char* name, std::function<void()> work)
    : work_(std::make_shared<Work>()) {
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  registry.join_what_is_over();
  registry.works.reserve(registry.works.size() + 1);
  work_->thread = std::thread([name, run = std::move(work), own = work_, &registry]() mutable {
    name_thread(name);
    run();
    run = nullptr;
    registry.end(*own);
  });
  registry.works.push_back(work_);
}

bool BackgroundThread::join_within(std::chrono::nanoseconds limit) {
  Registry& registry = Registry::instance();
  std::unique_lock lock(registry.mutex);
  if (!registry.changed.wait_for(lock, limit, [this] { return work_->is_over; })) return false;
  registry.join_what_is_over();
  return true;
}

bool is_background_idle() {
  auto& registry = BackgroundThread::Registry::instance();
  const std::lock_guard lock(registry.mutex);
  registry.join_what_is_over();
  return registry.works.empty();
}

void leave_library_threads() {
  has_library_threads = true;
}

void end_process(int code) {
  if (is_background_idle() && !has_library_threads) std::exit(code);
  std::cout.flush();
  std::_Exit(code);
}

}  // namespace outbox
