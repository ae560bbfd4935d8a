// How often something costly is done: pure, of one thread.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace outbox {

/// One part in `share` of the time at the most goes into it, unless that would make it rarer than
/// `interval_max`: a machine that is slow for a moment must not leave old figures standing.
class Pace {
 public:
  static constexpr int share = 50;

  explicit Pace(Duration interval_min, Duration interval_max = std::chrono::hours(1))
      : interval_min_(interval_min), interval_max_(interval_max) {}

  [[nodiscard]] bool is_due(Instant now) const { return now >= due_at_; }

  void done(Instant begun, Instant ended) {
    const Duration pause = (ended - begun) * share;
    due_at_ = ended + std::clamp(pause, interval_min_, interval_max_);
    hurried_at_ = ended + std::clamp(pause / 10, interval_min_, interval_max_);
  }

  /// Somebody waits for it: a tenth of the pause, this time.
  void hurry() { due_at_ = std::min(due_at_, hurried_at_); }

 private:
  Duration interval_min_, interval_max_;
  Instant due_at_{}, hurried_at_{};
};

}  // namespace outbox
