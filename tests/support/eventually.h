// Waits for a condition, with a deadline: what a test writes instead of a sleep.
#pragma once

#include <chrono>
#include <thread>

namespace outbox::test {

/// Long enough for a machine that does many other things at the same time; it costs nothing when all is well.
inline constexpr std::chrono::seconds patience{60};

/// True as soon as `condition()` is; false when it is still not after `deadline`. Asks every few
/// milliseconds.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::milliseconds deadline = patience) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  auto pause = std::chrono::microseconds(200);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return static_cast<bool>(condition());
    std::this_thread::sleep_for(pause);
    if (pause < std::chrono::milliseconds(10)) pause *= 2;
  }
  return true;
}

}  // namespace outbox::test
