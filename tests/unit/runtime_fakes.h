// A store and a broker that do what a test says, for what runs them on threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/broker.h"
#include "core/store.h"

namespace outbox::test {

/// What the runtime has asked for so far, one word each. Any thread.
class Journal {
 public:
  void add(std::string word) {
    const std::lock_guard lock(mutex_);
    words_.push_back(std::move(word));
  }
  [[nodiscard]] std::vector<std::string> words() const {
    const std::lock_guard lock(mutex_);
    return words_;
  }
  [[nodiscard]] bool has(const std::string& word) const {
    for (const std::string& each : words())
      if (each == word) return true;
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> words_;
};

/// Sleeps until it is woken, however long that takes: a wake-up that was lost is a test that does not end in
/// time.
class Sleep {
 public:
  /// True: woken; false: the test is over.
  bool until_woken() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return woken_ || over_; });
    woken_ = false;
    return !over_;
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false, over_ = false;
};

/// An empty outbox, whose lease is always to be had.
class FakeStore : public Store {
 public:
  FakeStore(Journal& journal, Sleep& sleep) : journal_(journal), sleep_(sleep) {}

  Result<Acquired> acquire(const LeaseRequest& request) override {
    journal_.add("acquire");
    return Acquired(Granted{{request.route, request.shard, ++epoch_}, {}, false});
  }
  Result<void> renew(const Lease&) override { return done("renew"); }
  Result<void> release(const Lease&) override { return done("release"); }
  Result<Batch> read(const Mark& after, const ReadLimit&) override {
    journal_.add("read");
    Batch batch;
    batch.end = after;
    return batch;
  }
  Result<Settled> settle(const Lease&, const Mark&, const HeldWrites&) override {
    journal_.add("settle");
    return Settled{};
  }
  Result<HeldKeys> held_keys(const Lease&) override {
    journal_.add("held_keys");
    return HeldKeys{};
  }
  Result<HeldBatch> read_held(const Lease&, const ReadLimit&) override {
    journal_.add("read_held");
    return HeldBatch{};
  }
  Result<Woken> wait(Duration) override {
    journal_.add("wait");
    sleep_.until_woken();
    return Woken::interrupted;
  }
  void wake() noexcept override { sleep_.wake(); }

 private:
  Result<void> done(const char* word) {
    journal_.add(word);
    return {};
  }

  Journal& journal_;
  Sleep& sleep_;
  std::int64_t epoch_ = 0;
};

/// Is always up; its poll ends only when it is woken.
class FakeBroker : public Broker {
 public:
  explicit FakeBroker(Sleep& sleep) : sleep_(sleep) {}

  [[nodiscard]] Traits traits() const override { return {}; }
  void connect() override { connecting_ = true; }
  void submit(std::span<const Submission>) override {}
  void poll(Duration, Answers& answers) override {
    if (connecting_) {
      answers.session = Session{Session::State::up, ""};
      connecting_ = false;
      return;
    }
    sleep_.until_woken();
  }
  void wake() noexcept override { sleep_.wake(); }

 private:
  Sleep& sleep_;
  bool connecting_ = false;
};

}  // namespace outbox::test
