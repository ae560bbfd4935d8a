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
  suspected,            ///< failed alone: the route waits, and then tries another message before this one
  later,                ///< this message waits for its back-off, the others go on
  dead,                 ///< nobody will ever take it
  route_backoff,        ///< the whole route waits and tries again
  route_misconfigured,  ///< the whole route waits for somebody to change something, and tries again slowly
  topic_waits,          ///< all messages of its topic wait, one at a time tries again; the others go on
};

struct Judgement {
  Outcome outcome = Outcome::settled;
  bool uses_attempt = false;
};

/// When a message was handed over: by the clock, and by how many the broker had accepted until then.
struct Submitted {
  Instant at{};
  std::uint64_t sent_before = 0;
};

/// What is known when a message fails.
struct Circumstances {
  Scope scope = Scope::route;
  int attempts = 0;  ///< used before this one
  /// Nothing else was in flight when the answer came: if a session broke, this message may have broken it.
  bool alone = false;
  /// Another message was accepted since this one was handed over or, if it has failed before, since that.
  /// Without that a failure may be the look of an outage, which must never cost a message an attempt.
  bool broker_works = false;
};

Judgement judge(Verdict verdict, const Circumstances& known, const RetryPolicy& policy);

/// How long to wait after the n-th failure in a row (n >= 1): doubles from backoff_min to backoff_max, with
/// half of it random so that relays do not come back in step.
Duration backoff(int failures, const RetryPolicy& policy, std::mt19937_64& random);

}  // namespace outbox
