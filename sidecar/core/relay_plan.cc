// Relay, second half: plan() issues every command that is due.
#include <algorithm>
#include <cassert>

#include "core/relay.h"

namespace outbox {
void Relay::plan(Instant now, Commands& commands) {
  plan_acquire(now, commands);
  if (phase_ == Phase::holding) {
    plan_publish(now, commands);
    plan_settle(now, commands);
    plan_renew(now, commands);
    plan_held(now, commands);
    plan_read(commands);
  }
  plan_stop(now, commands);
  plan_hand_over(commands);
  plan_leave(now, commands);
  plan_wake(now, commands);
}

void Relay::plan_acquire(Instant now, Commands& commands) {
  if (phase_ != Phase::apart || draining_ || !wanted_ || store_trouble_.waits(now) ||
      (holder_ && now < observe_at_))
    return;
  LeaseRequest request{options_.route,
                       options_.filter.shard,
                       options_.owner,
                       options_.start,
                       std::nullopt,
                       options_.filter.shards,
                       options_.filter.topics.patterns()};
  // The holder's beat has not moved for a whole lease by our own clock: whoever it is has lost it.
  if (holder_ && now - holder_unmoved_since_ >= options_.lease) request.expired = holder_;
  commands.acquire = std::move(request);
  beat_sent_at_ = now;
  phase_ = Phase::acquiring;
}

/// A message handed to the broker now must be there before another relay can hold the lease.
bool Relay::may_publish(Instant now) const {
  return session_ == BrokerSession::up && !paused_ && !draining_ && wanted_ && !ordered_recovery_ &&
         !broker_trouble_.waits(now) && now < lease_from_ + options_.lease - options_.lease / 4;
}

void Relay::plan_publish(Instant now, Commands& commands) {
  if (session_ == BrokerSession::down && !draining_ && !broker_trouble_.waits(now)) {
    commands.connect = true;
    session_ = BrokerSession::connecting;
  }
  if (!may_publish(now)) return;
  while (in_flight() < flight_max_) {
    Ticket ticket = 0;
    const Message* message = next_to_publish(now, ticket);
    if (!message) return;
    commands.publish.push_back({ticket, message});
  }
}

/// What is handed over and not written yet, of the log and of the held rows together, is never more than the
/// window. Held rows are older than those of the log. A row that cannot be delivered as it stands is held,
/// and the next one looked at.
const Message* Relay::next_to_publish(Instant now, Ticket& ticket) {
  for (;;) {
    published_end_ = std::max(published_end_, settled_end_);
    const std::size_t exposed = static_cast<std::size_t>(published_end_ - settled_end_) + held_.exposed();
    auto next_held = held_.next_ready();
    if (next_held && exposed >= options_.window && !held_.is_exposed(*next_held)) next_held.reset();
    const Ordinal end = published_end_ + (options_.window - std::min(exposed, options_.window));
    const auto next = next_held ? next_held : rows_.next_ready(end);
    if (!next) return nullptr;
    ticket = *next;
    const Message& message = next_held ? held_.message(ticket) : *rows_.at(ticket).message;
    if (!message.defect.empty()) {
      hold(ticket, HeldState::dead, next_held ? held_.attempts(ticket) : 0, std::string(message.defect), {});
      mark_moved_ = rows_.take_moved() || mark_moved_;
      continue;
    }
    if (next_held) {
      held_.submitted(ticket, now);
    } else {
      rows_.submitted(ticket, now);
      published_end_ = std::max(published_end_, ticket + 1);
    }
    return &message;
  }
}

void Relay::plan_settle(Instant now, Commands& commands) {
  // What is counted in the meantime must be counted before the write or after it.
  if (settling_ || renewing_ || counting_held_ || (!mark_moved_ && !held_.has_results())) return;
  // Half a window is saved while the other half is published. Where the broker is faster than the store,
  // which then reads without a pause, saving more seldom makes room for reading.
  const std::size_t unsaved = rows_.done_end() - settled_end_;
  const bool window_used = unsaved >= (reading_ ? options_.window : options_.window / 2);
  const bool last_one =
      (!wanted_ && in_flight() == 0) || (draining_ && (in_flight() == 0 || now >= drain_until_));
  const bool nothing_else = options_.once && caught_up_ && in_flight() == 0;
  const bool held_done = held_.has_results() && held_.size() == 0;
  if (!window_used && !held_done && !last_one && !nothing_else &&
      now < settled_at_ + options_.settle_interval)
    return;
  HeldWrites held;
  held.holds = rows_.take_held(now);
  held_.take_results(now, held);
  note_held(now, held);
  commands.settle = SettleCommand{lease_, rows_.mark(), std::move(held)};
  settling_ = true;
  settling_end_ = rows_.done_end();
  mark_moved_ = false;
  settled_at_ = beat_sent_at_ = now;
}

/// What the answer to this settle will mean.
void Relay::note_held(Instant now, const HeldWrites& held) {
  settling_keys_.clear();
  settling_due_.reset();
  settling_held_ =
      static_cast<std::int64_t>(held.holds.size()) - static_cast<std::int64_t>(held.removals.size());
  const auto due = [&](Duration time) {
    settling_due_ = settling_due_ ? std::min(*settling_due_, now + time) : now + time;
  };
  for (const Hold& hold : held.holds) {
    if (hold.key && hold.state != HeldState::unrouted) settling_keys_.push_back({*hold.key, hold.blocks});
    if (hold.due_in) due(*hold.due_in);
    // The row that it waited for, or that waits for it, may be the first of its key from now on.
    const bool promotes =
        hold.state == HeldState::dead || (hold.state == HeldState::blocked && !rows_.is_stored(*hold.key));
    if (hold.key && promotes) due({});
  }
  for (const Hold& change : held.changes) due(change.due_in.value_or(Duration::zero()));
  if (!held.removals.empty()) due({});
}

void Relay::plan_renew(Instant now, Commands& commands) {
  if (renewing_ || settling_ || now < lease_from_ + options_.lease / 3) return;
  commands.renew = lease_;
  renewing_ = true;
  beat_sent_at_ = now;
}

/// Held rows are looked for once all that was found before is written: the database would name those again.
void Relay::plan_held(Instant now, Commands& commands) {
  if (counting_held_ || settling_ || draining_ || !wanted_) return;
  if (!held_known_ || recount_held_) {
    commands.held_keys = HeldKeysCommand{lease_};
    counting_held_ = true;
    recount_held_ = false;
    return;
  }
  const auto look_at = next_held_look();
  if (reading_held_ || !held_.idle() || !look_at || now < *look_at || !may_publish(now)) return;
  const std::size_t rows_max =
      std::max<std::size_t>(1, std::min(options_.held_read_max, options_.window / 4));
  commands.read_held = ReadHeldCommand{lease_, {rows_max, options_.read_bytes_max / 4}};
  reading_held_ = true;
  held_due_.reset();
  held_look_at_ = now + options_.settle_interval;
}

/// Where more keys are due than can be tried at a time, reading on would only put more rows behind them.
void Relay::plan_read(Commands& commands) {
  if (reading_ || draining_ || !wanted_ || !held_known_ || held_full() || held_first_) return;
  if (caught_up_) {
    // The store sleeps only when nothing else is asked of it.
    if (!options_.once && !waiting_ && !settling_ && !renewing_ && !counting_held_ && !reading_held_) {
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
  return in_flight() == 0 && !mark_moved_ && !held_.has_results() && !store_owes_answers();
}

/// For once: everything that was committed is through, or is held and not due for a while.
bool Relay::nothing_left(Instant now) const {
  const bool held_later = held_.idle() && (!held_due_ || *held_due_ > now + options_.drain_timeout);
  return phase_ == Phase::holding && held_known_ && all_settled() && held_later &&
         ((caught_up_ && rows_.empty()) || held_full());
}

/// Draining ends when every acknowledgement is in and the mark is saved, or when its time is up.
void Relay::plan_stop(Instant now, Commands& commands) {
  if (options_.once && !draining_ && nothing_left(now)) {
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

/// To another relay, which may take it at once.
void Relay::plan_hand_over(Commands& commands) {
  if (wanted_ || draining_ || phase_ != Phase::holding || !all_settled()) return;
  commands.release = lease_;
  phase_ = Phase::releasing;
}

/// Nothing of the old lease may be left when the next one begins.
void Relay::plan_leave(Instant now, Commands& commands) {
  if (phase_ != Phase::leaving || store_owes_answers() || waiting_ || in_flight() > 0) return;
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
  if (held_due_ && held_.idle()) at_the_latest(*next_held_look());
  if (mark_moved_ || held_.has_results()) at_the_latest(settled_at_ + options_.settle_interval);
  at_the_latest(lease_from_ + options_.lease / 3);
}

// ---- what it knows of itself ----

RouteState Relay::state() const {
  if (draining_) return RouteState::draining;
  if (paused_) return RouteState::paused;
  if (store_trouble_.present() || broker_trouble_.present())
    return store_trouble_.misconfigured || broker_trouble_.misconfigured ? RouteState::misconfigured
                                                                         : RouteState::backoff;
  if (holder_) return RouteState::standby;
  if (held_full()) return RouteState::stopped;
  if (phase_ != Phase::holding || session_ != BrokerSession::up) return RouteState::starting;
  return RouteState::running;
}

RouteStatus Relay::status(Instant now) const {
  RouteStatus status = counted_;
  status.state = state();
  for (const Trouble* trouble : {&store_trouble_, &broker_trouble_})
    if (trouble->present()) status.reasons.push_back(trouble->reason);
  if (holder_) status.reasons.push_back("another relay holds the lease: " + holder_->owner);
  if (held_full())
    status.reasons.push_back(
        std::to_string(held_total_) + " rows are held, and retry.held_max is " +
        std::to_string(options_.held_max) +
        ": the route reads no further until they are delivered, or requeued or discarded with "
        "`outboxd held`");
  if (paused_) status.reasons.push_back("paused by an operator");
  status.connected = session_ == BrokerSession::up;
  status.pending = static_cast<std::int64_t>(rows_.size());
  status.inflight = static_cast<std::int64_t>(in_flight());
  if (!rows_.empty())
    status.oldest_pending_age_seconds = std::chrono::duration<double>(now - rows_.front().born).count();
  const bool mine = phase_ == Phase::holding || phase_ == Phase::leaving;
  if (mine)
    status.leases.push_back({options_.filter.shard, options_.owner, lease_.epoch, true});
  else if (holder_)
    status.leases.push_back({options_.filter.shard, holder_->owner, holder_->epoch, false});
  return status;
}

}  // namespace outbox
