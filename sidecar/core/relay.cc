// Relay, first half: absorb() takes in what happened.
#include "core/relay.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outbox {
namespace {

/// However long an outage was, the route moves soon after its end: somebody tries at least this often.
constexpr Duration probe_interval_max = std::chrono::seconds(10);

/// What somebody has to mend is not asked about more often.
constexpr Duration misconfigured_interval_min = std::chrono::seconds(1);

/// Rows that wait for a topic are called as soon as it is mended. This is for those whose relay has gone in
/// the meantime.
constexpr Duration topic_wait_max = std::chrono::minutes(1);

/// Of topics beyond these each message is tried by itself.
constexpr std::size_t topics_max = 1'000;

/// Of so many rows is remembered when they failed. Then it begins anew: who is forgotten counts as failing
/// for the first time.
constexpr std::size_t last_failed_max = 10'000;

}  // namespace

Relay::Relay(RelayOptions options)
    : options_(std::move(options)),
      filter_(options_.filter),
      random_(options_.seed),
      rows_(!options_.traits.ordered_pipeline),
      flight_max_(options_.window) {}

void Relay::absorb(Instant now, Event event) {
  if (phase_ == Phase::stopped) return;  // an answer that came too late
  std::visit([&](auto& what) { on(now, what); }, event);
  check_invariants();
}

void Relay::ask(Request request) {
  assert(!asked_.has(request));
  asked_.add(request);
}

void Relay::answered(Request request) {
  assert(asked_.has(request));
  asked_.remove(request);
}

// ---- the store's answers ----

void Relay::on(Instant now, AcquireAnswer& answer) {
  answered(Request::acquire);
  phase_ = Phase::apart;
  if (!answer.result) return trouble(now, store_trouble_, answer.result.error());
  // The failures stay counted until a beat or a mark is saved: a database that only lets read would have the
  // same rows published again and again without a rest.
  store_trouble_.reason.clear();

  if (const auto* holder = std::get_if<LeaseHolder>(&*answer.result)) {
    if (holder_ != *holder) {
      holder_ = *holder;
      holder_unmoved_since_ = now;
    }
    observe_at_ = now + std::min<Duration>(options_.lease / 4, std::chrono::seconds(1));
    return;
  }
  auto& granted = std::get<Granted>(*answer.result);
  holder_.reset();
  phase_ = Phase::holding;
  lease_ = std::move(granted.lease);
  replays_ = granted.replays;
  paused_ = granted.paused;
  rows_.clear(granted.mark);
  held_.clear();
  unknown_ = {Unknown::held_keys, Unknown::log};
  held_due_.reset();
  if (!topics_.empty()) ++topics_version_;
  topics_.clear();
  called_.clear();
  last_failed_.clear();
  settled_end_ = settling_end_ = published_end_ = rows_.done_end();
  read_mark_ = std::move(granted.mark);
  // The database has seen our epoch: the lease runs from the moment at which we asked, not from that of the
  // answer.
  lease_from_ = beat_sent_at_;
}

void Relay::on(Instant now, RenewAnswer& answer) {
  answered(Request::renew);
  if (!answer.result) return store_failed(now, answer.result.error());
  store_trouble_ = {};
  lease_from_ = beat_sent_at_;
}

void Relay::on(Instant, ReleaseAnswer&) {
  // Released, fenced or out of reach: in each case there is nothing more to give back.
  answered(Request::release);
  phase_ = intent_ == Intent::stop ? Phase::stopped : Phase::apart;
}

void Relay::on(Instant now, ReadAnswer& answer) {
  answered(Request::read);
  if (!answer.result) return store_failed(now, answer.result.error());
  if (phase_ != Phase::holding) return;
  Batch& batch = *answer.result;
  unknown_.set(Unknown::log, batch.more);
  read_mark_ = batch.end;
  counted_.pending_exact = !batch.more;
  number_replays(batch);
  const std::size_t unrouted = rows_.add(std::move(batch), now, filter_);
  if (options_.counts_unrouted) counted_.unrouted_total += unrouted;
}

void Relay::on(Instant now, SettleAnswer& answer) {
  answered(Request::settle);
  if (!answer.result) return store_failed(now, answer.result.error());
  settled_end_ = settling_end_;
  store_trouble_ = {};
  lease_from_ = beat_sent_at_;
  held_.results_are_saved();
  rows_.held_is_saved(settling_keys_, answer.result->freed);
  held_total_ += settling_held_;
  held_unrouted_ += settling_unrouted_;
  if (settling_due_) held_due(*settling_due_);
}

void Relay::on(Instant now, HeldKeysAnswer& answer) {
  answered(Request::held_keys);
  if (!answer.result) return store_failed(now, answer.result.error());
  if (phase_ != Phase::holding) return;
  unknown_.remove(Unknown::held_keys);
  rows_.stored_keys_are(std::move(answer.result->blocked));
  held_total_ = answer.result->rows_total;
  held_unrouted_ = answer.result->rows_unrouted;
  filter_.routed_elsewhere = Topics(std::move(answer.result->routed_elsewhere));
  if (answer.result->next_due_in) held_due(now + *answer.result->next_due_in);
}

void Relay::on(Instant now, ReadHeldAnswer& answer) {
  answered(Request::read_held);
  if (!answer.result) return store_failed(now, answer.result.error());
  if (phase_ != Phase::holding) return;
  if (answer.result->next_due_in) held_due(now + *answer.result->next_due_in);
  if (answer.result->next_due_in == Duration::zero()) held_look_at_ = now;
  unknown_.set(Unknown::held_due, answer.result->more_keys);
  number_replays(answer.result->rows);
  held_.load(std::move(*answer.result), now);
}

void Relay::number_replays(Batch& batch) const {
  if (replays_.number == 0) return;
  for (Message& message : batch.messages) message.replay = replays_.of(message.seq);
}

void Relay::held_due(Instant when) {
  held_due_ = held_due_ ? std::min(*held_due_, when) : when;
}

void Relay::on(Instant now, WaitAnswer& answer) {
  answered(Request::wait);
  if (!answer.result) return store_failed(now, answer.result.error());
  switch (*answer.result) {
    case Woken::notified:
      ++counted_.wakeups_notified_total;
      break;
    case Woken::timeout:
      ++counted_.wakeups_poll_total;
      break;
    case Woken::interrupted:
      return;
  }
  unknown_.add(Unknown::log);
}

/// The session is over, so every position in memory is dead: start over from the saved mark.
void Relay::store_failed(Instant now, const Error& error) {
  if (error.fault == Fault::fenced) {
    ++counted_.lease_lost_total;
    last_error_ = {LastError::Of::lease, now, error.text};
  } else if (phase_ == Phase::holding || phase_ == Phase::releasing) {
    ++counted_.database_reconnects_total;
    trouble(now, store_trouble_, error);
  }
  if (phase_ != Phase::holding) return;
  phase_ = Phase::leaving;
  unknown_.add(Unknown::log);
}

Duration Relay::probe_delay(int failures) {
  return std::min(backoff(failures, options_.retry, random_), probe_interval_max);
}

void Relay::trouble(Instant now, Trouble& which, const Error& error) {
  last_error_ = {&which == &store_trouble_ ? LastError::Of::store : LastError::Of::broker, now, error.text};
  // Nothing was tried since: what was under way then tells of the same failure, and must not lengthen it.
  if (which.waits(now)) return;
  ++which.failures;
  which.unproven = false;
  which.misconfigured = error.fault == Fault::misconfigured || error.fault == Fault::refused;
  which.reason = error.text.empty() ? "no reason was given" : error.text;
  Duration delay = probe_delay(which.failures);
  if (which.misconfigured) delay = std::max(delay, misconfigured_interval_min);
  which.retry_at = now + delay;
}

// ---- the broker's answers ----

void Relay::on(Instant now, BrokerAnswer& answer) {
  const bool alone = in_flight() == 1;
  std::optional<Error> error;  // however many were turned away at once, the route has failed once
  for (const Delivery& delivery : answer.answers->deliveries) on_delivery(now, delivery, alone, error);
  if (answer.answers->session) on_session(now, *answer.answers->session, error);
  if (error) trouble(now, broker_trouble_, *error);
  if (session_ == BrokerSession::recovering && in_flight() == 0) session_ = BrokerSession::up;
}

void Relay::on_delivery(Instant now, const Delivery& delivery, bool alone, std::optional<Error>& error) {
  const Ticket ticket = delivery.ticket;
  if (delivery.duplicate) ++counted_.duplicates_reported_total;
  if (delivery.verdict == Verdict::accepted) return accepted(now, ticket);

  ++counted_.failed_total;
  ++counted_.failures[static_cast<std::size_t>(delivery.verdict)];
  last_error_ = {LastError::Of::rows, now, delivery.reason};

  if (!topics_.empty() && delivery.scope != Scope::topic) topic_answered(message_of(ticket));
  const bool was_held = HeldQueue::owns(ticket);
  // An ordered pipeline turned it away for the row before it, which says nothing of this one.
  if (!was_held && rows_.is_behind_held(ticket)) return hold(ticket, HeldState::blocked, 0, "", {});

  int attempts = attempts_of(ticket);
  const Judgement judgement =
      judge(delivery.verdict, {delivery.scope, attempts, alone, broker_works_beside(ticket)}, options_.retry);
  if (judgement.uses_attempt) ++attempts;
  switch (judgement.outcome) {
    case Outcome::settled:
      break;
    case Outcome::again:
      if (delivery.verdict == Verdict::retry) note_failure(seq_of(ticket));
      put_back(ticket);
      flight_max_ = 1;
      break;
    case Outcome::suspected:
      suspect(now, ticket, attempts, delivery.reason);
      flight_max_ = 1;
      error = {Fault::unavailable, delivery.reason};
      break;
    case Outcome::later:
      note_failure(seq_of(ticket));
      hold(ticket, HeldState::retrying, attempts, delivery.reason,
           now + backoff(attempts, options_.retry, random_));
      break;
    case Outcome::dead:
      last_failed_.erase(seq_of(ticket));
      if (broker_trouble_.unproven) broker_trouble_.reason.clear();  // the broker works: it has judged
      give_up(now, ticket, attempts, delivery.reason);
      break;
    case Outcome::topic_waits:
      topic_refused(now, ticket, delivery);
      break;
    case Outcome::route_backoff:
    case Outcome::route_misconfigured:
      put_back(ticket);
      flight_max_ = 1;
      error = {judgement.outcome == Outcome::route_backoff ? Fault::unavailable : Fault::misconfigured,
               delivery.reason};
      break;
  }
}

bool Relay::broker_works_beside(Ticket ticket) const {
  const auto failed = last_failed_.find(seq_of(ticket));
  return counted_.sent_total >
         (failed != last_failed_.end() ? failed->second : submitted(ticket).sent_before);
}

/// It may be guilty, or the broker is away: what is accepted in the meantime will tell.
void Relay::suspect(Instant now, Ticket ticket, int attempts, const std::string& reason) {
  note_failure(seq_of(ticket));
  held_suspect_ = HeldQueue::owns(ticket);
  if (held_suspect_)
    return hold(ticket, HeldState::retrying, attempts, reason,
                now + probe_delay(broker_trouble_.failures + 1));
  rows_.put_aside(ticket);
}

void Relay::note_failure(std::int64_t seq) {
  if (last_failed_.size() >= last_failed_max && !last_failed_.contains(seq)) last_failed_.clear();
  last_failed_[seq] = counted_.sent_total;
}

// ---- topics in trouble ----

/// The row waits for its topic with its key behind it; those that follow join it without being tried.
void Relay::topic_refused(Instant now, Ticket ticket, const Delivery& delivery) {
  const std::string topic(message_of(ticket).topic);
  if (topics_.size() >= topics_max && !topics_.contains(topic))
    return hold(ticket, HeldState::retrying, attempts_of(ticket), delivery.reason, now + probe_interval_max,
                topic);
  const auto [found, is_new] = topics_.try_emplace(topic);
  TopicTrouble& trouble = found->second;
  if (is_new) {
    trouble.since = now;
    ++topics_version_;
  }
  // What was under way when the first one failed tells of the same failure.
  if (now >= trouble.probe_at) {
    Duration delay = probe_delay(++trouble.failures);
    if (delivery.verdict == Verdict::misconfigured) delay = std::max(delay, misconfigured_interval_min);
    trouble.probe_at = now + delay;
  }
  trouble.probing = false;
  trouble.reason = delivery.reason;
  hold_for_topic(now, ticket, topic, trouble);
}

/// Whether the message is to wait, for its topic is in trouble and it is not its turn to try; then it is
/// held.
bool Relay::waits_for_topic(Instant now, Ticket ticket, const Message& message) {
  const auto found = topics_.find(message.topic);
  if (found == topics_.end()) return false;
  TopicTrouble& trouble = found->second;
  if (now >= trouble.probe_at && !trouble.probing) {
    trouble.probing = true;
    trouble.candidate = message.seq;
    return false;
  }
  hold_for_topic(now, ticket, found->first, trouble);
  return true;
}

void Relay::hold_for_topic(Instant now, Ticket ticket, const std::string& topic, TopicTrouble& trouble) {
  hold(ticket, HeldState::retrying, attempts_of(ticket), trouble.reason,
       due_for_topic(now, trouble, seq_of(ticket)), topic);
}

/// One row of the topic is due when it is time to try, and is the candidate; the others wait to be called. A
/// run that is to end waits for none.
Instant Relay::due_for_topic(Instant now, TopicTrouble& trouble, std::int64_t seq) const {
  if (options_.once) return now + topic_wait_max + options_.drain_timeout;
  if (!trouble.candidate) trouble.candidate = seq;
  return trouble.candidate == seq ? std::max(trouble.probe_at, now) : now + topic_wait_max;
}

/// By something that says nothing of the topic: if it was the candidate, another one is called.
void Relay::topic_answered(const Message& message) {
  const auto found = topics_.find(message.topic);
  if (found == topics_.end() || found->second.candidate != message.seq) return;
  found->second.probing = false;
  found->second.candidate.reset();
  called_.push_back(found->first);
}

/// An operator may have taken the candidates away.
void Relay::call_candidates() {
  for (auto& [topic, trouble] : topics_) {
    if (trouble.probing) continue;
    trouble.candidate.reset();
    called_.push_back(topic);
  }
}

void Relay::topic_accepted(Instant now, std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return;
  called_.emplace_back(topic);
  rows_.topic_is_mended(topic, now);
  topics_.erase(found);
  ++topics_version_;
}

void Relay::accepted(Instant now, Ticket ticket) {
  const bool was_held = HeldQueue::owns(ticket);
  const Message& message = message_of(ticket);
  const Instant submitted_at = submitted(ticket).at;
  ++counted_.sent_total;
  counted_.sent_bytes_total += message.payload.size();
  counted_.delivery.add(now - (was_held ? held_.born(ticket) : rows_.at(ticket).born));
  counted_.publish.add(now - submitted_at);
  // What was handed over before a failure says nothing of the time after it.
  if (submitted_at >= broker_trouble_.retry_at) broker_trouble_ = {};
  if (flight_max_ < options_.window) flight_max_ = std::min(flight_max_ * 2, options_.window);
  if (!last_failed_.empty()) last_failed_.erase(message.seq);
  if (!topics_.empty()) topic_accepted(now, message.topic);
  rows_.recall_aside();
  if (was_held)
    held_.accepted(ticket);
  else
    rows_.done(ticket);
}

void Relay::put_back(Ticket ticket) {
  if (HeldQueue::owns(ticket)) return held_.put_back(ticket);
  rows_.put_back(ticket);
  if (options_.traits.ordered_pipeline && connected()) session_ = BrokerSession::recovering;
}

/// It becomes a dead letter.
void Relay::give_up(Instant now, Ticket ticket, int attempts, const std::string& reason) {
  const Message& message = message_of(ticket);
  ++counted_.dead_total;
  last_dead_ = "message " + std::string(message.id_text()) + " (seq " + std::to_string(message.seq) +
               ", topic " + cut(message.topic) + ") is a dead letter after " + std::to_string(attempts) +
               " attempts: " + reason;
  last_error_ = {LastError::Of::rows, now, last_dead_};
  hold(ticket, HeldState::dead, attempts, reason, {});
}

/// Its fate is written with the next settle; until then nothing of its key goes out.
void Relay::hold(Ticket ticket, HeldState state, int attempts, const std::string& reason,
                 std::optional<Instant> due, std::string topic) {
  const Message& message = message_of(ticket);
  Hold hold = hold_of(message, state, state != HeldState::dead || options_.dead_blocks);
  hold.attempts = attempts;
  hold.last_error = reason;
  hold.topic = std::move(topic);
  if (HeldQueue::owns(ticket))
    held_.failed(ticket, std::move(hold), due);
  else
    rows_.hold(ticket, std::move(hold), due);
}

void Relay::on_session(Instant now, const Session& session, std::optional<Error>& error) {
  switch (session.state) {
    case Session::State::up:
      session_ = BrokerSession::up;
      if (up_since_) ++counted_.broker_reconnects_total;
      up_since_ = now;
      // The failures stay counted until something is accepted: a session that breaks at once backs off
      // further.
      broker_trouble_.unproven = true;
      return;
    case Session::State::down:
    case Session::State::misconfigured:
      // A session that held for long was no failure, though nothing was there to be accepted.
      if (connected() && now - *up_since_ >= options_.retry.backoff_max) broker_trouble_.failures = 0;
      session_ = BrokerSession::down;
      flight_max_ = 1;
      error = {session.state == Session::State::down ? Fault::unavailable : Fault::misconfigured,
               session.reason};
      return;
  }
}

// ---- the operator ----

void Relay::on(Instant, Pause&) {
  paused_ = true;
}
void Relay::on(Instant, Resume&) {
  paused_ = false;
}

void Relay::on(Instant, Share& share) {
  if (intent_ != Intent::stop) intent_ = share.wanted ? Intent::hold : Intent::hand_over;
}

void Relay::on(Instant now, Stop&) {
  if (std::exchange(intent_, Intent::stop) == Intent::stop) return;
  drain_until_ = now + options_.drain_timeout;
}

}  // namespace outbox
