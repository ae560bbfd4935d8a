// Relay, first half: absorb() takes in what happened.
#include "core/relay.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outbox {
namespace {

/// Somebody must change something: asking again more often than this helps nobody.
constexpr Duration misconfigured_interval_max = std::chrono::seconds(30);

}  // namespace

Relay::Relay(RelayOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      rows_(!options_.traits.ordered_pipeline),
      flight_max_(options_.window) {}

void Relay::absorb(Instant now, Event event) {
  if (phase_ == Phase::stopped) return;  // an answer that came too late
  std::visit([&](auto& what) { on(now, what); }, event);
  mark_moved_ = rows_.take_moved() || mark_moved_;
}

// ---- the store's answers ----

void Relay::on(Instant now, AcquireAnswer& answer) {
  assert(phase_ == Phase::acquiring);
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
  paused_ = granted.paused;
  rows_.clear(granted.mark);
  settled_end_ = settling_end_ = rows_.done_end();
  mark_moved_ = caught_up_ = false;
  read_mark_ = std::move(granted.mark);
  beat_confirmed();
}

/// The database has seen our epoch: the lease runs from the moment at which we asked, not from that of the
/// answer.
void Relay::beat_confirmed() {
  lease_from_ = beat_sent_at_;
}

void Relay::on(Instant now, RenewAnswer& answer) {
  renewing_ = false;
  if (!answer.result) return store_failed(now, answer.result.error());
  store_trouble_ = {};
  beat_confirmed();
}

void Relay::on(Instant, ReleaseAnswer&) {
  // Released, fenced or out of reach: in each case there is nothing more to give back.
  phase_ = Phase::stopped;
}

void Relay::on(Instant now, ReadAnswer& answer) {
  reading_ = false;
  if (!answer.result) return store_failed(now, answer.result.error());
  if (phase_ != Phase::holding) return;
  Batch& batch = *answer.result;
  caught_up_ = !batch.more;
  read_mark_ = batch.end;
  if (options_.counts_unrouted) count_unrouted(batch);
  counted_.pending_exact = !batch.more;
  rows_.add(std::move(batch), now, options_.topics);
}

void Relay::count_unrouted(const Batch& batch) {
  for (const Message& message : batch.messages) {
    if (options_.all_topics.take(message.topic)) continue;
    ++counted_.unrouted_total;
    counted_.unrouted_topic = message.topic;
  }
}

void Relay::on(Instant now, SettleAnswer& answer) {
  settling_ = false;
  if (!answer.result) return store_failed(now, answer.result.error());
  settled_end_ = settling_end_;
  store_trouble_ = {};
  beat_confirmed();
}

void Relay::on(Instant now, WaitAnswer& answer) {
  waiting_ = false;
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
  caught_up_ = false;
}

/// The session is over, so every position in memory is dead: start over from the saved mark.
void Relay::store_failed(Instant now, const Error& error) {
  if (error.fault == Fault::fenced) {
    ++counted_.lease_lost_total;
    counted_.last_error = error.text;
  } else if (phase_ == Phase::holding || phase_ == Phase::releasing) {
    ++counted_.database_reconnects_total;
    trouble(now, store_trouble_, error);
  }
  if (phase_ != Phase::holding) return;
  phase_ = Phase::leaving;
  caught_up_ = false;
}

void Relay::trouble(Instant now, Trouble& which, const Error& error) {
  counted_.last_error = error.text;
  // Nothing was tried since: what was under way then tells of the same failure, and must not lengthen it.
  if (which.waits(now)) return;
  ++which.failures;
  which.misconfigured = error.fault == Fault::misconfigured || error.fault == Fault::refused;
  which.reason = error.text.empty() ? "no reason was given" : error.text;
  Duration delay = backoff(which.failures, options_.retry, random_);
  if (which.misconfigured)
    delay = std::clamp<Duration>(delay, std::chrono::seconds(1), misconfigured_interval_max);
  which.retry_at = now + delay;
}

// ---- the broker's answers ----

void Relay::on(Instant now, BrokerAnswer& answer) {
  const bool alone = rows_.in_flight() == 1;
  std::optional<Error> error;  // however many were turned away at once, the route has failed once
  for (const Delivery& delivery : answer.answers->deliveries) on_delivery(now, delivery, alone, error);
  if (answer.answers->session) on_session(now, *answer.answers->session, error);
  if (error) trouble(now, broker_trouble_, *error);
  if (rows_.in_flight() == 0) ordered_recovery_ = false;
}

void Relay::on_delivery(Instant now, const Delivery& delivery, bool alone, std::optional<Error>& error) {
  const Ordinal ordinal = delivery.ticket;
  if (delivery.verdict == Verdict::accepted) return accepted(now, ordinal);

  ++counted_.failed_total;
  ++counted_.failures[static_cast<std::size_t>(delivery.verdict)];
  counted_.last_error = delivery.reason;
  ordered_recovery_ = options_.traits.ordered_pipeline;

  auto& entry = rows_.at(ordinal);
  const Judgement judgement = judge(delivery.verdict, entry.attempts, alone, options_.retry);
  if (judgement.uses_attempt) ++entry.attempts;
  switch (judgement.outcome) {
    case Outcome::settled:
      break;
    case Outcome::again:
      rows_.put_back(ordinal);
      flight_max_ = 1;
      break;
    case Outcome::later:
      if (!options_.traits.ordered_pipeline) {
        rows_.delay(ordinal, now + backoff(entry.attempts, options_.retry, random_));
        break;
      }
      // Later rows of its key are pipelined already: the route waits as a whole, or they would overtake.
      rows_.put_back(ordinal);
      error = {Fault::unavailable, delivery.reason};
      break;
    case Outcome::dead:
      rows_.put_back(ordinal);
      kill(ordinal, delivery.reason);
      break;
    case Outcome::route_backoff:
    case Outcome::route_misconfigured:
      rows_.put_back(ordinal);
      flight_max_ = 1;
      error = {judgement.outcome == Outcome::route_backoff ? Fault::unavailable : Fault::misconfigured,
               delivery.reason};
      break;
  }
}

void Relay::accepted(Instant now, Ordinal ordinal) {
  const auto& entry = rows_.at(ordinal);
  ++counted_.sent_total;
  counted_.sent_bytes_total += entry.message->payload.size();
  counted_.delivery.add(now - entry.born);
  counted_.publish.add(now - entry.submitted);
  // What was handed over before a failure says nothing of the time after it.
  if (entry.submitted >= broker_trouble_.retry_at) broker_trouble_ = {};
  if (flight_max_ < options_.window) flight_max_ = std::min(flight_max_ * 2, options_.window);
  rows_.done(ordinal, now);
}

/// Until dead letters exist, a message that nobody will ever take stops its route: it is never skipped.
void Relay::kill(Ordinal ordinal, const std::string& reason) {
  const auto& entry = rows_.at(ordinal);
  dead_reason_ = "message " + std::string(entry.message->id_text()) + " (seq " +
                 std::to_string(entry.message->seq) + ", topic " + std::string(entry.message->topic) +
                 ") can never be delivered, after " + std::to_string(entry.attempts) +
                 " attempts: " + reason +
                 "; the route stops here rather than skip it: change or remove the row, then restart outboxd";
  counted_.last_error = dead_reason_;
}

void Relay::on_session(Instant now, const Session& session, std::optional<Error>& error) {
  switch (session.state) {
    case Session::State::up:
      session_ = BrokerSession::up;
      up_since_ = now;
      if (std::exchange(ever_up_, true)) ++counted_.broker_reconnects_total;
      // The failures stay counted until something is accepted: a session that breaks at once backs off
      // further.
      broker_trouble_.reason.clear();
      return;
    case Session::State::down:
    case Session::State::misconfigured:
      // A session that held for long was no failure, though nothing was there to be accepted.
      if (session_ == BrokerSession::up && now - up_since_ >= options_.retry.backoff_max)
        broker_trouble_.failures = 0;
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

void Relay::on(Instant now, Stop&) {
  if (std::exchange(draining_, true)) return;
  drain_until_ = now + options_.drain_timeout;
}

}  // namespace outbox
