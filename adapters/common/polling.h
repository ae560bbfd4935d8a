// What the poll() of an adapter needs whose server answers in its own time. For the adapter's thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "core/broker.h"

namespace outbox {

/// Moves what waits for a poll() to the end of `answers`. False: nothing did.
bool hand_over(Answers& pending, Answers& answers);

/// A time limit for people: "1500 ms".
std::string milliseconds_text(Duration time);

}  // namespace outbox
