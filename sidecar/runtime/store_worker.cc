#include "runtime/store_worker.h"

#include <utility>

#include "runtime/crash_point.h"

namespace outbox {
namespace {

/// The store's answer, with a place to die at on either side of it.
template <class Call>
auto between(const char* before, const char* after, Call call) {
  crash_point(before);
  auto result = call();
  crash_point(after);
  return result;
}

}  // namespace

StoreWorker::StoreWorker(std::unique_ptr<Store> store, std::function<void(Event)> answer)
    : store_(std::move(store)), answer_(std::move(answer)) {
  const auto wake = [this] {
    { const std::lock_guard lock(mutex_); }  // run() is either before its check or asleep
    arrived_.notify_one();
    store_->wake();
  };
  thread_.start(
      "store", [this] { run(); }, wake);
}

void StoreWorker::accept(Commands& commands) {
  bool arrived = false, sleeping = false;
  {
    const std::lock_guard lock(mutex_);
    const auto push = [&](auto command) {
      queue_.emplace_back(std::move(command));
      arrived = true;
    };
    if (commands.acquire) push(std::move(*commands.acquire));
    if (commands.settle) push(std::move(*commands.settle));
    if (commands.renew) push(std::move(*commands.renew));
    if (commands.held_keys) push(std::move(*commands.held_keys));
    if (commands.read_held) push(std::move(*commands.read_held));
    if (commands.read) push(std::move(*commands.read));
    if (commands.release) push(Release{std::move(*commands.release)});
    if (commands.wait) push(Wait{*commands.wait});
    sleeping = sleeping_;
  }
  if (!arrived) return;
  if (sleeping)
    store_->wake();
  else
    arrived_.notify_one();
}

StoreWorker::Durations StoreWorker::durations() const {
  const std::lock_guard lock(mutex_);
  return durations_;
}

void StoreWorker::run() {
  for (;;) {
    Command command;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [&] { return thread_.stopping() || !queue_.empty(); });
      if (thread_.stopping()) return;
      command = std::move(queue_.front());
      queue_.pop_front();
    }
    answer_(std::visit([&](auto& what) { return carry_out(what); }, command));
  }
}

Event StoreWorker::carry_out(LeaseRequest& request) {
  return AcquireAnswer{between("acquire.before", "acquire.after", [&] { return store_->acquire(request); })};
}

Event StoreWorker::carry_out(SettleCommand& settle) {
  const Instant begun = now();
  SettleAnswer answer{between("settle.before", "settle.after",
                              [&] { return store_->settle(settle.lease, settle.mark, settle.held); })};
  const std::lock_guard lock(mutex_);
  durations_.settle.add(now() - begun);
  return answer;
}

Event StoreWorker::carry_out(Lease& renew) {
  return RenewAnswer{between("renew.before", "renew.after", [&] { return store_->renew(renew); })};
}

Event StoreWorker::carry_out(HeldKeysCommand& command) {
  return HeldKeysAnswer{
      between("held_keys.before", "held_keys.after", [&] { return store_->held_keys(command.lease); })};
}

Event StoreWorker::carry_out(ReadHeldCommand& command) {
  return ReadHeldAnswer{between("read_held.before", "read_held.after",
                                [&] { return store_->read_held(command.lease, command.limit); })};
}

Event StoreWorker::carry_out(ReadCommand& read) {
  const Instant begun = now();
  ReadAnswer answer{
      between("read.before", "read.after", [&] { return store_->read(read.after, read.limit); })};
  const std::lock_guard lock(mutex_);
  durations_.read.add(now() - begun);
  return answer;
}

Event StoreWorker::carry_out(Release& release) {
  return ReleaseAnswer{
      between("release.before", "release.after", [&] { return store_->release(release.lease); })};
}

Event StoreWorker::carry_out(Wait& wait) {
  {
    // A command that came meanwhile makes sleeping pointless, and nobody wakes for it.
    const std::lock_guard lock(mutex_);
    if (thread_.stopping() || !queue_.empty()) return WaitAnswer{Woken::interrupted};
    sleeping_ = true;
  }
  WaitAnswer answer{store_->wait(wait.timeout)};
  const std::lock_guard lock(mutex_);
  sleeping_ = false;
  return answer;
}

}  // namespace outbox
