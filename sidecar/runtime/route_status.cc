#include "runtime/route_status.h"

#include <algorithm>
#include <array>
#include <utility>

namespace outbox {
namespace {

/// The state of the route is the first of these that one of its shards is in.
constexpr std::array<RouteState, 8> by_importance = {
    RouteState::misconfigured, RouteState::stopped,  RouteState::backoff, RouteState::draining,
    RouteState::paused,        RouteState::starting, RouteState::running, RouteState::standby};

std::ptrdiff_t importance(RouteState state) {
  return std::ranges::find(by_importance, state) - by_importance.begin();
}

void add(Histogram& into, const Histogram& from) {
  for (std::size_t i = 0; i < into.counts.size(); ++i) into.counts[i] += from.counts[i];
  into.sum += from.sum;
}

void add(RouteStatus& into, RouteStatus& from) {
  if (importance(from.state) < importance(into.state)) into.state = from.state;
  for (std::string& reason : from.reasons)
    if (std::ranges::find(into.reasons, reason) == into.reasons.end())
      into.reasons.push_back(std::move(reason));
  into.connected = into.connected || from.connected;
  into.pending += from.pending;
  into.pending_exact = into.pending_exact && from.pending_exact;
  into.oldest_pending_age_seconds =
      std::max(into.oldest_pending_age_seconds, from.oldest_pending_age_seconds);
  into.sent_total += from.sent_total;
  into.sent_bytes_total += from.sent_bytes_total;
  into.failed_total += from.failed_total;
  for (std::size_t i = 0; i < into.failures.size(); ++i) into.failures[i] += from.failures[i];
  into.dead_total += from.dead_total;
  into.unrouted_total += from.unrouted_total;
  into.inflight += from.inflight;
  if (into.last_error.empty()) into.last_error = std::move(from.last_error);
  into.last_success_at = std::max(into.last_success_at, from.last_success_at);
  into.broker_reconnects_total += from.broker_reconnects_total;
  into.database_reconnects_total += from.database_reconnects_total;
  into.lease_lost_total += from.lease_lost_total;
  into.wakeups_notified_total += from.wakeups_notified_total;
  into.wakeups_poll_total += from.wakeups_poll_total;
  add(into.delivery, from.delivery);
  add(into.publish, from.publish);
  add(into.read, from.read);
  add(into.settle, from.settle);
  into.leases.insert(into.leases.end(), from.leases.begin(), from.leases.end());
}

}  // namespace

RouteStatus merged(std::vector<RouteStatus> shards) {
  RouteStatus result = std::move(shards.front());
  for (std::size_t i = 1; i < shards.size(); ++i) add(result, shards[i]);
  return result;
}

}  // namespace outbox
