// Relay, second half: plan() issues every command that is due.
#include <algorithm>
#include <cassert>
#include <utility>

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
  forget_what_is_over();
  check_invariants();
}

/// While messages wait it is the first one accepted that ends a trouble: a session that comes up and breaks
/// with each of them would end it several times a second.
void Relay::forget_what_is_over() {
  const bool any_waits = rows_.size() + held_.size() > 0 || (held_suspect_ && held_total_ > 0);
  if (broker_trouble_.unproven && !(phase_ == Phase::holding && any_waits)) broker_trouble_.reason.clear();
  if (!last_error_.text.empty() && !still_holds(last_error_.of)) last_error_.text.clear();
}

bool Relay::still_holds(LastError::Of what) const {
  switch (what) {
    case LastError::Of::lease:
      return phase_ != Phase::holding;
    case LastError::Of::store:
      return store_trouble_.present();
    case LastError::Of::broker:
      return broker_trouble_.present();
    case LastError::Of::rows:
      return held_total_ > 0 || rows_.has_held() || rows_.has_aside() || held_.size() > 0 ||
             held_.has_results() || (asked_.has(Request::settle) && settling_held_ > 0);
  }
  return false;
}

/// Cheap enough for every step. What is asserted of the broker is only what the relay itself decides.
void Relay::check_invariants() const {
  // What a crash repeats, and what the mark has passed.
  assert(exposed() <= options_.window);
  assert(in_flight() <= options_.window);
  assert(flight_max_ >= 1 && flight_max_ <= options_.window);
  assert(settled_end_ <= settling_end_ && settling_end_ <= rows_.done_end());
  assert(published_end_ <= rows_.done_end() + rows_.size());

  // No two writes at once, and nothing counted beside a write: which came first could not be told.
  assert(!(asked_.has(Request::settle) && asked_.has_any({Request::renew, Request::held_keys})));
  assert(!asked_.has(Request::read) || !unknown_.has(Unknown::held_keys));
  assert(!asked_.has(Request::read_held) || held_.idle());

  switch (phase_) {
    case Phase::apart:
      assert(asked_.empty() && in_flight() == 0);
      break;
    case Phase::acquiring:
      assert(asked_.has(Request::acquire) && asked_.is_within({Request::acquire}) && in_flight() == 0);
      break;
    case Phase::holding:
      assert(!asked_.has_any({Request::acquire, Request::release}));
      assert(lease_from_ <= beat_sent_at_);
      assert(asked_.has(Request::settle) || settling_end_ == settled_end_);
      break;
    case Phase::leaving:
      assert(!asked_.has_any({Request::acquire, Request::release}));
      break;
    case Phase::releasing:
      assert(asked_.has(Request::release) && asked_.is_within({Request::release, Request::wait}));
      assert(intent_ == Intent::stop || in_flight() == 0);
      break;
    case Phase::stopped:
      assert(intent_ == Intent::stop);
      break;
  }
}

void Relay::plan_acquire(Instant now, Commands& commands) {
  if (phase_ != Phase::apart || intent_ != Intent::hold || store_trouble_.waits(now) ||
      (holder_ && now < observe_at_))
    return;
  LeaseRequest request{options_.route,
                       options_.filter.shard,
                       options_.owner,
                       options_.start,
                       std::nullopt,
                       options_.filter.shards,
                       options_.filter.topics.patterns(),
                       options_.retention};
  // The holder's beat has not moved for a whole lease by our own clock: whoever it is has lost it.
  if (holder_ && now - holder_unmoved_since_ >= options_.lease) request.expired = holder_;
  commands.acquire = std::move(request);
  ask(Request::acquire);
  beat_sent_at_ = now;
  phase_ = Phase::acquiring;
}

/// A message handed to the broker now must be there before another relay can hold the lease.
bool Relay::may_publish(Instant now) const {
  return session_ == BrokerSession::up && !paused_ && intent_ == Intent::hold &&
         !broker_trouble_.waits(now) && now < lease_from_ + options_.lease - options_.lease / 4;
}

void Relay::plan_publish(Instant now, Commands& commands) {
  if (session_ == BrokerSession::down && intent_ != Intent::stop && !broker_trouble_.waits(now)) {
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
    auto next_held = held_.next_ready();
    if (next_held && exposed() >= options_.window && !held_.is_exposed(*next_held)) next_held.reset();
    const Ordinal end = published_end_ + (options_.window - std::min(exposed(), options_.window));
    const auto next = next_held ? next_held : rows_.next_ready(end);
    if (!next && rows_.has_aside() && in_flight() == 0) {
      recall_aside(now);
      continue;
    }
    if (!next) return nullptr;
    ticket = *next;
    const Message& message = message_of(ticket);
    if (!message.defect.empty()) {
      give_up(now, ticket, attempts_of(ticket), std::string(message.defect));
      continue;
    }
    if (!topics_.empty() && waits_for_topic(now, ticket, message)) continue;
    if (next_held) {
      held_.submitted(ticket, {now, counted_.sent_total});
    } else {
      rows_.submitted(ticket, {now, counted_.sent_total});
      held_suspect_ = false;
      published_end_ = std::max(published_end_, ticket + 1);
    }
    return &message;
  }
}

/// Nobody else can go first. If that is because the suspect and its key fill the window, or the memory for
/// rows, the mark passes it, and there is room for others.
void Relay::recall_aside(Instant now) {
  const Ordinal suspect = rows_.first_aside();
  rows_.recall_aside();
  const bool is_in_the_way =
      exposed() >= options_.window || (!caught_up() && !asked_.has(Request::read) && !held_full());
  if (is_in_the_way) hold(suspect, HeldState::retrying, 0, last_error_.text, now);
}

void Relay::plan_settle(Instant now, Commands& commands) {
  // What is counted in the meantime must be counted before the write or after it.
  if (asked_.has_any({Request::settle, Request::renew, Request::held_keys}) ||
      (!rows_.moved() && !held_.has_results() && called_.empty()))
    return;
  // Half a window is saved while the other half is published. Where the broker is faster than the store,
  // which then reads without a pause, saving more seldom makes room for reading.
  const std::size_t unsaved = rows_.done_end() - settled_end_;
  const bool window_used = unsaved >= (asked_.has(Request::read) ? options_.window : options_.window / 2);
  const bool last_one =
      (intent_ != Intent::hold && in_flight() == 0) || (intent_ == Intent::stop && now >= drain_until_);
  const bool nothing_else = options_.once && caught_up() && in_flight() == 0;
  const bool held_done = held_.has_results() && held_.size() == 0;
  if (!window_used && !held_done && !last_one && !nothing_else &&
      now < settled_at_ + options_.settle_interval)
    return;
  HeldWrites held;
  held.holds = rows_.take_held(now);
  held_.take_results(now, held);
  held.mended = std::exchange(called_, {});
  note_held(now, held);
  commands.settle = SettleCommand{lease_, rows_.take_mark(), std::move(held)};
  ask(Request::settle);
  settling_end_ = rows_.done_end();
  settled_at_ = beat_sent_at_ = now;
}

/// What the answer to this settle will mean.
void Relay::note_held(Instant now, const HeldWrites& held) {
  settling_keys_.clear();
  settling_due_.reset();
  settling_held_ =
      static_cast<std::int64_t>(held.holds.size()) - static_cast<std::int64_t>(held.removals.size());
  settling_unrouted_ = std::ranges::count(held.holds, HeldState::unrouted, &Hold::state);
  const auto due = [&](Duration time) {
    settling_due_ = settling_due_ ? std::min(*settling_due_, now + time) : now + time;
  };
  for (const Hold& hold : held.holds) {
    if (hold.key && hold.state != HeldState::unrouted && hold.state != HeldState::scheduled)
      settling_keys_.push_back({*hold.key, hold.blocks});
    if (hold.due_in) due(*hold.due_in);
    // The row that it waited for, or that waits for it, may be the first of its key from now on.
    const bool promotes =
        hold.state == HeldState::dead || (hold.state == HeldState::blocked && !rows_.is_stored(*hold.key));
    if (hold.key && promotes) due({});
  }
  for (const Hold& change : held.changes) due(change.due_in.value_or(Duration::zero()));
  if (!held.removals.empty() || !held.mended.empty()) due({});
}

void Relay::plan_renew(Instant now, Commands& commands) {
  if (asked_.has_any({Request::renew, Request::settle}) || now < lease_from_ + options_.lease / 3) return;
  commands.renew = lease_;
  ask(Request::renew);
  beat_sent_at_ = now;
}

/// Held rows are looked for once all that was found before is written: the database would name those again.
void Relay::plan_held(Instant now, Commands& commands) {
  if (asked_.has_any({Request::held_keys, Request::settle}) || intent_ != Intent::hold) return;
  if (unknown_.has_any({Unknown::held_keys, Unknown::held_changes})) {
    commands.held_keys = HeldKeysCommand{lease_};
    ask(Request::held_keys);
    unknown_.remove(Unknown::held_changes);
    return;
  }
  const auto look_at = next_held_look();
  if (asked_.has(Request::read_held) || !held_.idle() || !look_at || now < *look_at || !may_publish(now))
    return;
  const std::size_t rows_max =
      std::max<std::size_t>(1, std::min(options_.held_read_max, options_.window / 4));
  commands.read_held = ReadHeldCommand{lease_, {rows_max, options_.read_bytes_max / 4, options_.texts_max}};
  ask(Request::read_held);
  held_due_.reset();
  held_look_at_ = now + options_.settle_interval;
}

/// Where more keys are due than can be tried at a time, reading on would only put more rows behind them;
/// unless those fail.
void Relay::plan_read(Commands& commands) {
  if (asked_.has(Request::read) || intent_ != Intent::hold || held_full() ||
      unknown_.has(Unknown::held_keys) || (unknown_.has(Unknown::held_due) && !held_suspect_))
    return;
  if (caught_up()) {
    // The store sleeps only when nothing else is asked of it.
    if (options_.once || !asked_.empty()) return;
    commands.wait = options_.lease / 3;
    ask(Request::wait);
    return;
  }
  const std::size_t room_max = options_.window + options_.read_messages_max;
  if (rows_.size() + (options_.read_messages_max + 1) / 2 > room_max ||
      rows_.bytes() > options_.read_bytes_max)
    return;
  commands.read = ReadCommand{read_mark_,
                              {std::min(options_.read_messages_max, room_max - rows_.size()),
                               options_.read_bytes_max, options_.texts_max}};
  ask(Request::read);
}

bool Relay::all_settled() const {
  return in_flight() == 0 && !rows_.moved() && !held_.has_results() && !store_owes_answers();
}

/// For once: everything that was committed is through, or is held and not due for a while.
bool Relay::nothing_left(Instant now) const {
  const bool held_later = held_.idle() && (!held_due_ || *held_due_ > now + options_.drain_timeout);
  return phase_ == Phase::holding && !unknown_.has(Unknown::held_keys) && all_settled() && held_later &&
         ((caught_up() && rows_.empty()) || held_full());
}

/// Draining ends when every acknowledgement is in and the mark is saved, or when its time is up.
void Relay::plan_stop(Instant now, Commands& commands) {
  if (options_.once && nothing_left(now)) {
    Stop stop;
    on(now, stop);
  }
  if (intent_ != Intent::stop) return;
  const bool time_is_up = now >= drain_until_;
  if (phase_ == Phase::holding && (all_settled() || (time_is_up && !store_owes_answers()))) {
    release(commands);
  } else if (phase_ == Phase::apart || (phase_ == Phase::leaving && !store_owes_answers()) ||
             now >= drain_until_ + options_.drain_timeout) {
    phase_ = Phase::stopped;
  }
  commands.finished = phase_ == Phase::stopped;
}

/// To another relay, which may take it at once.
void Relay::plan_hand_over(Commands& commands) {
  if (intent_ != Intent::hand_over || phase_ != Phase::holding || !all_settled()) return;
  release(commands);
}

void Relay::release(Commands& commands) {
  commands.release = lease_;
  ask(Request::release);
  phase_ = Phase::releasing;
}

/// Nothing of the old lease may be left when the next one begins.
void Relay::plan_leave(Instant now, Commands& commands) {
  if (phase_ != Phase::leaving || !asked_.empty() || in_flight() > 0) return;
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
  if (intent_ == Intent::stop)
    at_the_latest(now < drain_until_ ? drain_until_ : drain_until_ + options_.drain_timeout);
  if (phase_ != Phase::holding) return;
  if (held_due_ && held_.idle()) at_the_latest(*next_held_look());
  if (rows_.moved() || held_.has_results() || !called_.empty())
    at_the_latest(settled_at_ + options_.settle_interval);
  at_the_latest(lease_from_ + options_.lease / 3);
}

// ---- what it knows of itself ----

RouteState Relay::state() const {
  if (intent_ == Intent::stop) return RouteState::draining;
  if (paused_) return RouteState::paused;
  if (store_trouble_.present() || broker_trouble_.present())
    return store_trouble_.misconfigured || broker_trouble_.misconfigured ? RouteState::misconfigured
                                                                         : RouteState::backoff;
  if (holder_) return RouteState::standby;
  if (held_full()) return RouteState::stopped;
  if (phase_ != Phase::holding || !connected()) return RouteState::starting;
  return RouteState::running;
}

RouteStatus Relay::status(Instant now) const {
  RouteStatus status = counted_;
  status.state = state();
  status.last_error = last_error_.text;
  if (!status.last_error.empty()) status.last_error_seconds = in_seconds(now - last_error_.at);
  for (const Trouble* trouble : {&store_trouble_, &broker_trouble_})
    if (trouble->present()) status.reasons.push_back(trouble->reason);
  if (holder_) status.reasons.push_back("another relay holds the lease: " + holder_->owner);
  if (held_full())
    status.reasons.push_back(
        std::to_string(held_total_ - held_unrouted_) + " rows are held, and retry.held_max is " +
        std::to_string(options_.held_max) +
        ": the route reads no further until they are delivered, or requeued or discarded with "
        "`outboxd held`");
  if (paused_) status.reasons.push_back("paused by an operator");
  for (const auto& [topic, trouble] : topics_)
    status.topics.push_back({topic, trouble.reason, in_seconds(now - trouble.since)});
  status.connected = connected();
  status.pending_exact = status.pending_exact && reads_on();
  status.inflight = static_cast<std::int64_t>(in_flight());
  // What it has read before another relay took over may be sent.
  if (!holder_ && !rows_.empty()) {
    status.pending = static_cast<std::int64_t>(rows_.size());
    status.oldest_pending_age_seconds = std::max(0.0, in_seconds(now - rows_.front().born));
  }
  const bool mine = phase_ == Phase::holding || phase_ == Phase::leaving;
  if (mine)
    status.leases.push_back({options_.filter.shard, options_.owner, lease_.epoch, true});
  else if (holder_)
    status.leases.push_back({options_.filter.shard, holder_->owner, holder_->epoch, false});
  return status;
}

}  // namespace outbox
