#include "adapters/common/server_broker.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace outbox {
namespace {

/// Moves what waits for a poll() to the end of `answers`. False: nothing did.
bool move_to(Answers& pending, Answers& answers) {
  const bool has_answers = !pending.deliveries.empty() || pending.session;
  if (answers.deliveries.empty())
    answers.deliveries.swap(pending.deliveries);
  else
    std::ranges::move(pending.deliveries, std::back_inserter(answers.deliveries));
  pending.deliveries.clear();
  if (pending.session) answers.session = std::exchange(pending.session, std::nullopt);
  return has_answers;
}

}  // namespace

std::string milliseconds_text(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

ServerBroker::ServerBroker(const ServerKind& kind, const ServerSettings& settings)
    : kind_(kind), connect_timeout_(settings.connect_timeout), timeout_(settings.timeout) {
  ignore_write_signals();  // libraries write without MSG_NOSIGNAL
}

void ServerBroker::connect() {
  if (phase_ != Phase::closed) end_session({Session::State::down, named("a new session was asked for")});
  pending_.session.reset();
  phase_ = Phase::connecting;
  alive();
  begin();
  end_if_over();
}

void ServerBroker::submit(std::span<const Submission> messages) {
  if (phase_ == Phase::up && !ending_) {
    if (!awaits_answers()) alive();
    take(messages);
    return end_if_over();
  }
  const std::string reason = ending_ ? ending_->reason + " (not sent)" : named("not connected");
  for (const Submission& submission : messages) deliver(submission.ticket, Verdict::unavailable, reason);
}

void ServerBroker::poll(Duration timeout, Answers& answers) {
  Instant at = now();
  const Instant end = at + std::min<Duration>(timeout, std::chrono::hours(1));
  is_woken_ = false;
  for (;; at = now()) {
    if (phase_ != Phase::closed) {
      advance();
      end_if_over();
    }
    const bool has_answers = !pending_.deliveries.empty() || pending_.session;
    Instant until = end;
    if (phase_ != Phase::closed) until = std::min({end, deadline().value_or(end), tick_at()});
    const Duration wait = has_answers ? Duration::zero() : until - at;
    if (phase_ == Phase::closed) {
      await({}, wait);
    } else {
      step(wait);
      tick();
      end_if_over();
      check_deadline();
    }
    if (move_to(pending_, answers)) return told();
    if (is_woken_ || now() >= end) return;
  }
}

void ServerBroker::await(std::span<pollfd> sources, Duration wait) {
  polled_.assign(1, {wakeup_.descriptor(), POLLIN, 0});
  polled_.insert(polled_.end(), sources.begin(), sources.end());
  const bool is_ready = ::poll(polled_.data(), polled_.size(), poll_milliseconds(wait)) > 0;
  for (std::size_t i = 0; i < sources.size(); ++i)
    sources[i].revents = is_ready ? polled_[i + 1].revents : short{0};
  if (is_ready && polled_[0].revents != 0) woken();
}

short ServerBroker::await(int descriptor, short events, Duration wait) {
  pollfd source{descriptor, events, 0};
  await({&source, 1}, wait);
  return source.revents;
}

void ServerBroker::woken() {
  wakeup_.clear();
  is_woken_ = true;
}

void ServerBroker::come_up() {
  phase_ = Phase::up;
  pending_.session = Session{Session::State::up, {}};
}

void ServerBroker::fail(Session::State state, std::string_view what) {
  if (!failure_) failure_ = Session{state, named(what)};
}

void ServerBroker::fail(const Error& error) {
  fail(error.fault == Fault::misconfigured ? Session::State::misconfigured : Session::State::down,
       error.text);
}

void ServerBroker::end_after_answers(Session::State state, std::string_view what) {
  if (!ending_) ending_ = Session{state, named(what)};
}

void ServerBroker::end_if_over() {
  if (failure_)
    end_session(*failure_);
  else if (ending_ && phase_ != Phase::closed && !awaits_answers())
    end_session(*ending_);
}

void ServerBroker::end_session(const Session& session) {
  const Session ended = session;  // it may be one of those that are reset
  end(ended.reason);
  phase_ = Phase::closed;
  failure_.reset();
  ending_.reset();
  pending_.session = ended;
}

std::optional<Instant> ServerBroker::deadline() const {
  if (phase_ == Phase::connecting) return alive_at_ + connect_timeout_;
  if (phase_ == Phase::closed || !awaits_answers()) return std::nullopt;
  return alive_at_ + timeout_;
}

void ServerBroker::check_deadline() {
  if (phase_ == Phase::closed) return;
  const auto limit = deadline();
  if (!limit || now() < *limit) return;
  overdue();
  end_if_over();
}

std::string ServerBroker::silence() const {
  const bool is_up = phase_ == Phase::up;
  return endpoint() + ": no " + std::string(is_up ? kind_.answer : "connection") + " within " +
         milliseconds_text(is_up ? timeout_ : connect_timeout_);
}

void ServerBroker::give_up(Ticket ticket, bool has_left, const std::string& reason, Verdict silence) {
  deliver(ticket, has_left ? silence : Verdict::unavailable,
          reason + (has_left ? " (sent, not " + std::string(kind_.answered) + ")" : " (not sent)"));
}

std::string ServerBroker::about(const Message& message) const {
  return named(std::string(kind_.publishing) + " '" + printable(message.topic, 60) + "': ");
}

std::string ServerBroker::where() const {
  return named(endpoint() + ": ");
}

std::string ServerBroker::named(std::string_view what) const {
  const std::string prefix = std::string(kind_.name) + ": ";
  return what.starts_with(prefix) ? std::string(what) : prefix + std::string(what);
}

}  // namespace outbox
