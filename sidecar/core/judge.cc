#include "core/judge.h"

#include <algorithm>
#include <cassert>

namespace outbox {

Judgement judge(Verdict verdict, const Circumstances& known, const RetryPolicy& policy) {
  const Judgement own_fault{known.attempts + 1 >= policy.attempts_max ? Outcome::dead : Outcome::later, true};
  switch (verdict) {
    case Verdict::accepted:
      return {Outcome::settled, false};
    case Verdict::retry:
      if (known.broker_works) return own_fault;
      return {known.alone ? Outcome::suspected : Outcome::again, false};
    case Verdict::rejected:
      return {Outcome::dead, true};
    case Verdict::unavailable:
    case Verdict::misconfigured:
      if (known.scope == Scope::topic) return {Outcome::topic_waits, false};
      return {verdict == Verdict::unavailable ? Outcome::route_backoff : Outcome::route_misconfigured, false};
    case Verdict::in_doubt:
      if (!known.alone) return {Outcome::again, false};
      return known.broker_works ? own_fault : Judgement{Outcome::suspected, false};
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
