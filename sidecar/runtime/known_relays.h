// The relay processes of a database, as far as it knows them. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/admin.h"
#include "core/status.h"

namespace outbox {

/// A relay gives a sign of life so often, or three times in a lease.
constexpr Duration sign_of_life_interval_max = std::chrono::seconds(3);
/// One that gives none any more and holds nothing is shown for so long, and of all so many.
constexpr Duration relay_shown_max = std::chrono::minutes(5);
constexpr std::size_t relays_shown_max = 100;

/// `members` as they were `since` ago; `lease`: of this relay, whose name is `me`.
inline std::vector<RelayStatus> known_relays(const std::string& me, Duration lease,
                                             std::span<const RelayMember> members, Duration since,
                                             std::span<const RouteShard> marks) {
  std::map<std::string, RelayStatus> known;
  for (const RelayMember& member : members) {
    RelayStatus& relay = known[member.owner];
    const Duration unseen = member.unseen + since;
    relay.last_seen_seconds = in_seconds(unseen);
    relay.lives = unseen < std::max<Duration>(lease, 3 * sign_of_life_interval_max);
  }
  known[me].me = known[me].lives = true;
  known[me].last_seen_seconds = 0;
  for (const RouteShard& mark : marks)
    if (!mark.owner.empty()) known[mark.owner].leases.push_back({mark.route, mark.shard, mark.epoch});
  std::vector<RelayStatus> relays;
  for (auto& [instance, relay] : known) {
    const bool is_long_gone = !relay.lives && relay.leases.empty() &&
                              relay.last_seen_seconds.value_or(0) > in_seconds(relay_shown_max);
    if (is_long_gone || relays.size() == relays_shown_max) continue;
    relay.instance = instance;
    relays.push_back(std::move(relay));
  }
  return relays;
}

}  // namespace outbox
