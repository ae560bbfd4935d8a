// How often something costly is done: pure, of one thread.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace outbox {

/// One part in `share` of the time at the most goes into it.
class Pace {
 public:
  static constexpr int share = 50;

  explicit Pace(Duration interval_min) : interval_min_(interval_min) {}

  [[nodiscard]] bool is_due(Instant now) const { return now >= due_at_; }

  void done(Instant begun, Instant ended) {
    due_at_ = ended + std::max(interval_min_, (ended - begun) * share);
    hurried_at_ = ended + std::max(interval_min_, (ended - begun) * share / 10);
  }

  /// Somebody waits for it: a tenth of the pause, this time.
  void hurry() { due_at_ = std::min(due_at_, hurried_at_); }

 private:
  Duration interval_min_;
  Instant due_at_{}, hurried_at_{};
};

}  // namespace outbox
