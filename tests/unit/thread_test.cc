#include "base/thread.h"

#include <doctest/doctest.h>

#include <array>

#include "base/wakeup.h"

namespace outbox {
namespace {

/// Work that sleeps until it is woken.
struct Sleeper {
  Wakeup bell;
  int runs = 0, wakes = 0;
  Thread thread;

  void start() {
    thread.start(
        "sleeps-for-a-long-time",
        [this] {
          ++runs;
          while (!thread.stopping()) bell.wait(std::chrono::hours(1));
        },
        [this] {
          ++wakes;
          bell.ring();
        });
  }
};

}  // namespace

TEST_CASE("a thread is started once, woken to stop, and waited for") {
  Sleeper sleeper;
  sleeper.start();
  sleeper.start();
  CHECK_FALSE(sleeper.thread.stopping());
  sleeper.thread.stop();
  sleeper.thread.stop();
  CHECK(sleeper.thread.stopping());
  CHECK(sleeper.runs == 1);
  CHECK(sleeper.wakes == 1);
}

TEST_CASE("a thread that never began is stopped without being woken, and does not begin after that") {
  Sleeper sleeper;
  sleeper.thread.stop();
  sleeper.start();
  CHECK(sleeper.runs == 0);
  CHECK(sleeper.wakes == 0);
}

TEST_CASE("the end of a thread's owner is the thread's") {
  Sleeper sleeper;
  sleeper.start();
}

TEST_CASE("a name that is too long is cut and not lost") {
  std::array<char, 16> name{};
  Thread thread;
  thread.start(
      "route orders-of-the-shop", [&] { pthread_getname_np(pthread_self(), name.data(), name.size()); },
      [] {});
  thread.stop();
  CHECK(std::string(name.data()) == "route orders-of");
}

}  // namespace outbox
