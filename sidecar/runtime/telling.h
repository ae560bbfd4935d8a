// How often the log tells of what goes on: pure, of one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace outbox {

/// A trouble is told of when it begins, again and again while it lasts, and once it has been over for a
/// moment: what comes and goes several times a second is one trouble.
class TroubleTelling {
 public:
  enum class Tell { nothing, begins, goes_on, ends };

  explicit TroubleTelling(Duration again = std::chrono::minutes(5)) : again_(again) {}

  Tell look(Instant now, bool is_there) {
    if (is_there) {
      over_since_.reset();
      if (since_ && now - told_at_ < again_) return Tell::nothing;
      told_at_ = now;
      if (since_) return Tell::goes_on;
      since_ = now;
      return Tell::begins;
    }
    if (!since_) return Tell::nothing;
    if (!over_since_) over_since_ = now;
    if (now - *over_since_ < rest) return Tell::nothing;
    since_.reset();
    over_since_.reset();
    return Tell::ends;
  }

  /// It began and its end was not told.
  [[nodiscard]] bool present() const { return since_.has_value(); }
  /// Precondition: present().
  [[nodiscard]] Instant since() const { return *since_; }

 private:
  static constexpr Duration rest = std::chrono::seconds(1);

  Duration again_;
  std::optional<Instant> since_, over_since_;
  Instant told_at_{};
};

/// What is counted is told of once in a while: the first at once.
class CountTelling {
 public:
  explicit CountTelling(Duration interval) : interval_(interval) {}

  /// How many came since it was told of, if that is due; 0: nothing to tell.
  std::uint64_t look(Instant now, std::uint64_t total) {
    if (total == told_ || (told_at_ && now - *told_at_ < interval_)) return 0;
    told_at_ = now;
    return total - std::exchange(told_, total);
  }

  /// The same at the end.
  std::uint64_t rest(std::uint64_t total) { return total - std::exchange(told_, total); }

 private:
  Duration interval_;
  std::uint64_t told_ = 0;
  std::optional<Instant> told_at_;
};

}  // namespace outbox
