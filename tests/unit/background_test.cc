#include "threads/background.h"

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

}  // namespace outbox
