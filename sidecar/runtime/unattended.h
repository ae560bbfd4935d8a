// Routes that the database knows and nobody runs. Pure, of one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/admin.h"
#include "core/status.h"

namespace outbox {

/// A route is attended while the beats of its marks move, whoever moves them. Seen for less than `patience`
/// without a move, it may be between two relays.
class UnattendedRoutes {
 public:
  explicit UnattendedRoutes(Duration patience) : patience_(patience) {}

  /// Those of `rows` that nobody has run for a while, in their order; `is_ours` tells the routes of this
  /// process.
  template <class IsOurs>
  std::vector<UnattendedStatus> look(Instant now, std::span<const RouteShard> rows, IsOurs is_ours) {
    std::map<std::string, Idle> seen;
    for (const RouteShard& row : rows)
      if (!is_ours(row.route)) seen[row.route].moves += row.beat + row.epoch;
    std::vector<UnattendedStatus> unattended;
    for (auto& [name, idle] : seen) {
      const auto before = known_.find(name);
      idle.since = before != known_.end() && before->second.moves == idle.moves ? before->second.since : now;
      if (now - idle.since >= patience_) unattended.push_back({name, in_seconds(now - idle.since)});
    }
    known_ = std::move(seen);
    return unattended;
  }

 private:
  struct Idle {
    std::int64_t moves = 0;
    Instant since{};
  };

  Duration patience_;
  std::map<std::string, Idle> known_;
};

}  // namespace outbox
