// Relay, second half: plan() issues every command that is due.
#include <algorithm>
#include <cassert>

#include "core/relay.h"

namespace outbox {
namespace {}  // namespace

void Relay::plan(Instant now, Commands& commands) {
  plan_acquire(now, commands);
  if (phase_ == Phase::holding) {
    plan_publish(now, commands);
    plan_settle(now, commands);
    plan_renew(now, commands);
    plan_read(commands);
  }
  plan_stop(now, commands);
  plan_leave(now, commands);
  plan_wake(now, commands);
}

void Relay::plan_acquire(Instant now, Commands& commands) {
  if (phase_ != Phase::apart || draining_ || store_trouble_.waits(now) || (holder_ && now < observe_at_))
    return;
  LeaseRequest request{options_.route, options_.shard, options_.owner, options_.start, std::nullopt};
  // The holder's beat has not moved for a whole lease by our own clock: whoever it is has lost it.
  if (holder_ && now - holder_unmoved_since_ >= options_.lease) request.expired = holder_;
  commands.acquire = std::move(request);
  beat_sent_at_ = now;
  phase_ = Phase::acquiring;
}

/// A message handed to the broker now must be there before another relay can hold the lease.
bool Relay::may_publish(Instant now) const {
  return session_ == BrokerSession::up && !paused_ && !draining_ && !ordered_recovery_ &&
         dead_reason_.empty() && !broker_trouble_.waits(now) &&
         now < lease_from_ + options_.lease - options_.lease / 4;
}

void Relay::plan_publish(Instant now, Commands& commands) {
  if (session_ == BrokerSession::down && !draining_ && !broker_trouble_.waits(now)) {
    commands.connect = true;
    session_ = BrokerSession::connecting;
  }
  if (!may_publish(now)) return;
  const Ordinal end = settled_end_ + options_.window;
  while (rows_.in_flight() < flight_max_) {
    const auto ordinal = rows_.next_ready(now, end);
    if (!ordinal) return;
    const Message* message = rows_.at(*ordinal).message;
    if (!message->defect.empty()) {
      // Only once everything before it is through, so that its route stops as late as can be.
      if (*ordinal == rows_.done_end()) kill(*ordinal, std::string(message->defect));
      return;
    }
    rows_.submitted(*ordinal, now);
    commands.publish.push_back({*ordinal, message});
  }
}

void Relay::plan_settle(Instant now, Commands& commands) {
  if (settling_ || renewing_ || !mark_moved_) return;
  // Half a window is saved while the other half is published. Where the broker is faster than the store,
  // which then reads without a pause, saving more seldom makes room for reading.
  const std::size_t unsaved = rows_.done_end() - settled_end_;
  const bool window_used = unsaved >= (reading_ ? options_.window : options_.window / 2);
  const bool last_one = draining_ && (rows_.in_flight() == 0 || now >= drain_until_);
  const bool nothing_else = options_.once && caught_up_ && rows_.in_flight() == 0;
  if (!window_used && !last_one && !nothing_else && now < settled_at_ + options_.settle_interval) return;
  commands.settle = SettleCommand{lease_, rows_.mark(), {}};
  settling_ = true;
  settling_end_ = rows_.done_end();
  mark_moved_ = false;
  settled_at_ = beat_sent_at_ = now;
}

void Relay::plan_renew(Instant now, Commands& commands) {
  if (renewing_ || settling_ || now < lease_from_ + options_.lease / 3) return;
  commands.renew = lease_;
  renewing_ = true;
  beat_sent_at_ = now;
}

void Relay::plan_read(Commands& commands) {
  if (reading_ || draining_ || !dead_reason_.empty()) return;
  if (caught_up_) {
    // The store sleeps only when nothing else is asked of it.
    if (!options_.once && !waiting_ && !settling_ && !renewing_) {
      commands.wait = options_.lease / 3;
      waiting_ = true;
    }
    return;
  }
  const std::size_t room_max = options_.window + options_.read_messages_max;
  if (rows_.size() + (options_.read_messages_max + 1) / 2 > room_max ||
      rows_.bytes() > options_.read_bytes_max)
    return;
  commands.read = ReadCommand{
      read_mark_, {std::min(options_.read_messages_max, room_max - rows_.size()), options_.read_bytes_max}};
  reading_ = true;
}

bool Relay::all_settled() const {
  return rows_.in_flight() == 0 && !mark_moved_ && !store_owes_answers();
}

/// For once: everything that was committed is through, or what stands at the head never will be.
bool Relay::nothing_left() const {
  return phase_ == Phase::holding && all_settled() &&
         ((caught_up_ && rows_.empty()) || !dead_reason_.empty());
}

/// Draining ends when every acknowledgement is in and the mark is saved, or when its time is up.
void Relay::plan_stop(Instant now, Commands& commands) {
  if (options_.once && !draining_ && nothing_left()) {
    draining_ = true;
    drain_until_ = now + options_.drain_timeout;
  }
  if (!draining_) return;
  const bool time_is_up = now >= drain_until_;
  if (phase_ == Phase::holding && (all_settled() || (time_is_up && !store_owes_answers()))) {
    commands.release = lease_;
    phase_ = Phase::releasing;
  } else if (phase_ == Phase::apart || (phase_ == Phase::leaving && !store_owes_answers()) ||
             now >= drain_until_ + options_.drain_timeout) {
    phase_ = Phase::stopped;
  }
  commands.finished = phase_ == Phase::stopped;
}

/// Nothing of the old lease may be left when the next one begins.
void Relay::plan_leave(Instant now, Commands& commands) {
  if (phase_ != Phase::leaving || store_owes_answers() || waiting_ || rows_.in_flight() > 0) return;
  phase_ = Phase::apart;
  plan_acquire(now, commands);
}

void Relay::plan_wake(Instant now, Commands& commands) {
  // What is due already and was not done waits for an answer, and the answer brings the next step.
  const auto at_the_latest = [&](Instant when) {
    if (when > now) commands.wake_at = commands.wake_at ? std::min(*commands.wake_at, when) : when;
  };
  if (store_trouble_.present()) at_the_latest(store_trouble_.retry_at);
  if (broker_trouble_.present()) at_the_latest(broker_trouble_.retry_at);
  if (holder_) at_the_latest(observe_at_);
  if (draining_) at_the_latest(now < drain_until_ ? drain_until_ : drain_until_ + options_.drain_timeout);
  if (phase_ != Phase::holding) return;
  if (mark_moved_) at_the_latest(settled_at_ + options_.settle_interval);
  at_the_latest(lease_from_ + options_.lease / 3);
  if (const auto due = rows_.next_due()) at_the_latest(*due);
}

// ---- what it knows of itself ----

RouteState Relay::state() const {
  if (draining_) return RouteState::draining;
  if (!dead_reason_.empty()) return RouteState::stopped;
  if (paused_) return RouteState::paused;
  if (store_trouble_.present() || broker_trouble_.present())
    return store_trouble_.misconfigured || broker_trouble_.misconfigured ? RouteState::misconfigured
                                                                         : RouteState::backoff;
  if (holder_) return RouteState::standby;
  if (phase_ != Phase::holding || session_ != BrokerSession::up) return RouteState::starting;
  return RouteState::running;
}

RouteStatus Relay::status(Instant now) const {
  RouteStatus status = counted_;
  status.state = state();
  if (!dead_reason_.empty()) status.reasons.push_back(dead_reason_);
  for (const Trouble* trouble : {&store_trouble_, &broker_trouble_})
    if (trouble->present()) status.reasons.push_back(trouble->reason);
  if (holder_) status.reasons.push_back("another relay holds the lease: " + holder_->owner);
  if (counted_.unrouted_total > 0)
    status.reasons.push_back(std::to_string(counted_.unrouted_total) +
                             " rows are taken by no route, the last of topic " + counted_.unrouted_topic +
                             "; they stay in the outbox");
  if (paused_) status.reasons.push_back("paused by an operator");
  status.connected = session_ == BrokerSession::up;
  status.pending = static_cast<std::int64_t>(rows_.size());
  status.inflight = static_cast<std::int64_t>(rows_.in_flight());
  if (!rows_.empty())
    status.oldest_pending_age_seconds = std::chrono::duration<double>(now - rows_.front().born).count();
  const bool mine = phase_ == Phase::holding || phase_ == Phase::leaving;
  if (mine)
    status.leases.push_back({options_.shard, options_.owner, lease_.epoch, true});
  else if (holder_)
    status.leases.push_back({options_.shard, holder_->owner, holder_->epoch, false});
  return status;
}

}  // namespace outbox
