#include "core/judge.h"

#include <algorithm>
#include <cassert>

namespace outbox {

Judgement judge(Verdict verdict, int attempts, bool alone, const RetryPolicy& policy) {
  const Outcome own_fault = attempts + 1 >= policy.attempts_max ? Outcome::dead : Outcome::later;
  switch (verdict) {
    case Verdict::accepted:
      return {Outcome::settled, false};
    case Verdict::retry:
      return {own_fault, true};
    case Verdict::rejected:
      return {Outcome::dead, true};
    case Verdict::unavailable:
      return {Outcome::route_backoff, false};
    case Verdict::misconfigured:
      return {Outcome::route_misconfigured, false};
    case Verdict::in_doubt:
      return alone ? Judgement{own_fault, true} : Judgement{Outcome::again, false};
  }
  assert(false);
  return {};
}

Duration backoff(int failures, const RetryPolicy& policy, std::mt19937_64& random) {
  const int doublings = std::clamp(failures - 1, 0, 30);
  const double longest = static_cast<double>(policy.backoff_max.count());
  const double delay = std::min(
      longest, static_cast<double>(policy.backoff_min.count()) * static_cast<double>(1LL << doublings));
  const double share = static_cast<double>(random() >> 11) * 0x1.0p-53;
  return Duration(static_cast<Duration::rep>(delay * (0.5 + 0.5 * share)));
}

}  // namespace outbox
