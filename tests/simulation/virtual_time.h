// A clock that moves only when nothing is left to do at this instant: same seed, same run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "core/message.h"

namespace outbox::simulation {

class VirtualTime {
 public:
  using Work = std::function<void()>;

  [[nodiscard]] Instant now() const { return now_; }
  void at(Instant when, Work work) {
    agenda_.emplace(std::pair{std::max(when, now_), ++order_}, std::move(work));
  }
  void after(Duration delay, Work work) { at(now_ + delay, std::move(work)); }

  /// Does the next thing; false: nothing is left.
  bool step() {
    if (agenda_.empty()) return false;
    auto first = agenda_.extract(agenda_.begin());
    now_ = first.key().first;
    first.mapped()();
    return true;
  }

 private:
  Instant now_{std::chrono::hours(1)};
  std::uint64_t order_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, Work> agenda_;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability; }
  int between(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  Duration within(Duration low, Duration high) {
    return low + Duration(static_cast<Duration::rep>(engine_() %
                                                     static_cast<std::uint64_t>((high - low).count() + 1)));
  }
  std::uint64_t draw() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace outbox::simulation
