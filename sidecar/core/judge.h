// The one place where a broker's verdict and a message's history become what happens next. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "core/message.h"
#include "core/verdict.h"

namespace outbox {

struct RetryPolicy {
  int attempts_max = 10;
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::minutes(5);
};

enum class Outcome : std::uint8_t {
  settled,              ///< the broker has it
  again,                ///< sent again as soon as the route allows, one at a time until one is accepted
  later,                ///< this message waits for its back-off, the others go on
  dead,                 ///< nobody will ever take it
  route_backoff,        ///< the whole route waits and tries again
  route_misconfigured,  ///< the whole route waits for somebody to change something, and tries again slowly
};

struct Judgement {
  Outcome outcome = Outcome::settled;
  bool uses_attempt = false;
};

/// `attempts` were used before this one. `alone`: nothing else was in flight when the answer came, so that a
/// broken session is this message's own doing: an outage that hits many at once must never cost any of them
/// an attempt.
Judgement judge(Verdict verdict, int attempts, bool alone, const RetryPolicy& policy);

/// How long to wait after the n-th failure in a row (n >= 1): doubles from backoff_min to backoff_max, with
/// half of it random so that relays do not come back in step.
Duration backoff(int failures, const RetryPolicy& policy, std::mt19937_64& random);

}  // namespace outbox
