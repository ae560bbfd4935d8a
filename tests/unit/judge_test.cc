#include "core/judge.h"

#include <chrono>
#include <random>

#include <doctest/doctest.h>

using namespace outbox;
using namespace std::chrono_literals;

namespace {

const RetryPolicy policy{3, 100ms, 1s};

Outcome outcome_of(Verdict verdict, const Circumstances& known = {}) {
  return judge(verdict, known, policy).outcome;
}

bool uses_attempt(Verdict verdict, const Circumstances& known = {}) {
  return judge(verdict, known, policy).uses_attempt;
}

Circumstances with_evidence(int attempts, bool alone = false) {
  return {Scope::route, attempts, alone, true};
}

Circumstances without_evidence(int attempts, bool alone = false) {
  return {Scope::route, attempts, alone, false};
}

}  // namespace

TEST_CASE("an accepted message is settled, whatever happened to it before") {
  CHECK(outcome_of(Verdict::accepted) == Outcome::settled);
  CHECK(outcome_of(Verdict::accepted, with_evidence(99, true)) == Outcome::settled);
  CHECK_FALSE(uses_attempt(Verdict::accepted));
}

TEST_CASE("a message that was turned away while others pass waits until its attempts are used up") {
  CHECK(outcome_of(Verdict::retry, with_evidence(0)) == Outcome::later);
  CHECK(outcome_of(Verdict::retry, with_evidence(1)) == Outcome::later);
  CHECK(outcome_of(Verdict::retry, with_evidence(2)) == Outcome::dead);
  CHECK(uses_attempt(Verdict::retry, with_evidence(0)));
}

TEST_CASE("attempts_max of one means that nothing is tried twice") {
  CHECK(judge(Verdict::retry, with_evidence(0), {1, 100ms, 1s}).outcome == Outcome::dead);
}

TEST_CASE("a rejected message is dead at once") {
  CHECK(outcome_of(Verdict::rejected) == Outcome::dead);
}

TEST_CASE("an outage of any look uses no attempt and kills nothing, however often it happens") {
  for (const bool alone : {false, true}) {
    for (const auto& known : {with_evidence(99, alone), without_evidence(99, alone)}) {
      CHECK(outcome_of(Verdict::unavailable, known) == Outcome::route_backoff);
      CHECK(outcome_of(Verdict::misconfigured, known) == Outcome::route_misconfigured);
      CHECK_FALSE(uses_attempt(Verdict::unavailable, known));
      CHECK_FALSE(uses_attempt(Verdict::misconfigured, known));
    }
    const Circumstances nothing_passes = without_evidence(99, alone);
    for (const Verdict verdict : {Verdict::retry, Verdict::in_doubt}) {
      CHECK(outcome_of(verdict, nothing_passes) == (alone ? Outcome::suspected : Outcome::again));
      CHECK_FALSE(uses_attempt(verdict, nothing_passes));
    }
  }
}

TEST_CASE("a message that breaks the session among others is not to blame") {
  CHECK(outcome_of(Verdict::in_doubt, with_evidence(99)) == Outcome::again);
  CHECK_FALSE(uses_attempt(Verdict::in_doubt, with_evidence(99)));
}

TEST_CASE(
    "a message that breaks the session alone while others pass uses an attempt, and dies of the last one") {
  CHECK(outcome_of(Verdict::in_doubt, with_evidence(0, true)) == Outcome::later);
  CHECK(outcome_of(Verdict::in_doubt, with_evidence(2, true)) == Outcome::dead);
  CHECK(uses_attempt(Verdict::in_doubt, with_evidence(0, true)));
}

TEST_CASE("the back-off doubles from its least to its most, with half of it drawn") {
  std::mt19937_64 random(1);
  for (int draw = 0; draw < 100; ++draw) {
    const auto within = [&](int failures, Duration most) {
      const Duration delay = backoff(failures, policy, random);
      return delay >= most / 2 && delay <= most;
    };
    CHECK(within(1, 100ms));
    CHECK(within(2, 200ms));
    CHECK(within(4, 800ms));
    CHECK(within(5, 1s));
    CHECK(within(1'000'000, 1s));
  }
}

TEST_CASE("two relays do not come back in step") {
  std::mt19937_64 one(1), other(2);
  CHECK(backoff(3, policy, one) != backoff(3, policy, other));
}

TEST_CASE("no count of failures and no policy takes the back-off out of its bounds") {
  std::mt19937_64 random(1);
  CHECK(backoff(0, policy, random) <= 100ms);
  CHECK(backoff(60, {3, 24h, 24h * 365}, random) <= 24h * 365);
  CHECK(backoff(1, {3, 2s, 1s}, random) <= 1s);
}
