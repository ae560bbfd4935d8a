#include "base/background.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <future>

#include <doctest/doctest.h>

#include "tests/support/eventually.h"

namespace outbox {

using namespace std::chrono_literals;

TEST_CASE("a thread that is left to itself is known until it is over") {
  CHECK(is_background_idle());
  std::promise<void> may_end;
  BackgroundThread thread("waits", [may_end = may_end.get_future().share()] { may_end.wait(); });
  BackgroundThread quick("quick", [] {});
  CHECK(quick.join_within(test::patience));
  CHECK(!thread.join_within(1ms));
  CHECK(!is_background_idle());
  may_end.set_value();
  CHECK(test::eventually(is_background_idle));
  CHECK(thread.join_within(0ms));
}

TEST_CASE("a process ends with its code, and without any clean-up while a thread is left to itself") {
  const auto ends_with = [](const std::function<void()>& leave) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::atexit([] { std::_Exit(99); });
      leave();
      end_process(7);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  std::promise<void> never;
  CHECK(ends_with(
            [&] { BackgroundThread("waits", [never = never.get_future().share()] { never.wait(); }); }) == 7);
  CHECK(ends_with(leave_library_threads) == 7);
  CHECK(ends_with([] {}) == 99);
}

}  // namespace outbox
