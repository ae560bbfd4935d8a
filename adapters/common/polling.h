// What the poll() of an adapter needs whose server answers in its own time. For the adapter's thread.
#pragma once

#include <chrono>
#include <string>

#include "core/broker.h"
#include "core/message.h"

namespace outbox {

/// Moves what waits for a poll() to the end of `answers`. False: nothing did.
bool hand_over(Answers& pending, Answers& answers);

inline Instant now() {
  return std::chrono::steady_clock::now();
}

/// A time limit for people: "1500 ms".
std::string milliseconds_text(Duration time);

}  // namespace outbox
