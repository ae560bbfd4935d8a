#include "adapters/brokers/redis/redis_broker.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_check.h"
#include "adapters/brokers/redis/redis_errors.h"
#include "adapters/brokers/redis/resp.h"
#include "adapters/common/polling.h"
#include "base/text.h"

namespace outbox {

RedisBroker::RedisBroker(RedisSettings settings, const BrokerTarget& target)
    : settings_(std::move(settings)),
      encoder_(target.source, target.attributes, settings_.length_max, settings_.create_streams),
      connection_(settings_) {
  ignore_write_signals();  // hiredis writes without MSG_NOSIGNAL
}

void RedisBroker::connect() {
  if (phase_ != Phase::closed) end_session(Session::State::down, "a new session was asked for");
  pending_.session.reset();
  connection_.begin();
  greetings_.clear();
  ending_.clear();
  failure_.reset();
  is_waiting_ = false;
  phase_ = Phase::connecting;
  progress_ = now();
}

void RedisBroker::submit(std::span<const Submission> messages) {
  if (in_flight_.empty()) progress_ = now();
  for (const Submission& submission : messages) {
    if (phase_ != Phase::up || !ending_.empty()) {
      pending_.deliveries.push_back(
          {submission.ticket, Verdict::unavailable, ending_.empty() ? "redis: not connected" : ending_});
      continue;
    }
    const std::uint64_t begin = connection_.appended_bytes();
    if (std::string fault = encoder_.append(connection_.output(), *submission.message); !fault.empty())
      pending_.deliveries.push_back({submission.ticket, Verdict::rejected, std::move(fault)});
    else
      in_flight_.push_back({submission.ticket, submission.message, begin});
  }
  if (!is_waiting_ && !in_flight_.empty() && settings_.wait_replicas > 0) append_wait();
  if (phase_ == Phase::up && !connection_.flush()) lose_connection();
}

void RedisBroker::poll(Duration timeout, Answers& answers) {
  Instant at = now();
  const Instant end = at + std::min<Duration>(timeout, std::chrono::hours(1));
  for (;; at = now()) {
    if (phase_ == Phase::connecting) advance_connecting();
    const bool has_answers = !pending_.deliveries.empty() || pending_.session;
    const Instant until = std::min(end, deadline().value_or(end));
    const bool is_woken = step(has_answers ? Duration::zero() : until - at);
    check_deadline();
    if (hand_over(pending_, answers) || is_woken || now() >= end) return;
  }
}

/// Waits for the socket and does what it is ready for. True: woken.
bool RedisBroker::step(Duration wait) {
  pollfd sockets[] = {{connection_.descriptor(), connection_.events(), 0}, {wakeup_.descriptor(), POLLIN, 0}};
  if (::poll(sockets, 2, poll_milliseconds(wait)) <= 0) return false;
  if (sockets[0].revents != 0 && (phase_ == Phase::greeting || phase_ == Phase::up))
    exchange(sockets[0].revents);
  if (sockets[1].revents == 0) return false;
  wakeup_.clear();
  return true;
}

void RedisBroker::advance_connecting() {
  switch (connection_.advance()) {
    case RedisConnection::Progress::waiting:
      return;
    case RedisConnection::Progress::ready:
      return greet();
    case RedisConnection::Progress::failed: {
      const Error error = connection_.error();
      return end_session(
          error.fault == Fault::misconfigured ? Session::State::misconfigured : Session::State::down,
          error.text);
    }
  }
}

void RedisBroker::greet() {
  phase_ = Phase::greeting;
  OutputBuffer& output = connection_.output();
  if (settings_.has_login()) {
    if (settings_.user.empty())
      append_command(output, "AUTH", settings_.password);
    else
      append_command(output, "AUTH", settings_.user, settings_.password);
    greetings_.emplace_back("AUTH");
  }
  if (settings_.database != 0) {
    append_command(output, "SELECT", std::to_string(settings_.database));
    greetings_.emplace_back("SELECT");
  }
  append_command(output, "CLIENT", "SETNAME", "outboxd");
  greetings_.emplace_back("CLIENT SETNAME");
  if (!connection_.flush()) lose_connection();
}

void RedisBroker::exchange(short ready) {
  bool is_alive = true;
  if (ready & (POLLIN | POLLHUP | POLLERR)) {
    is_alive = connection_.receive([this](const RedisReply& reply) {
      if (phase_ == Phase::greeting)
        take_greeting(reply);
      else
        take_answer(reply);
      return !failure_;
    });
    if (phase_ == Phase::up) progress_ = now();
  }
  if (failure_) return end_session(failure_->state, failure_->reason);
  if (is_alive && connection_.sent_bytes() < connection_.appended_bytes()) is_alive = connection_.flush();
  if (!is_alive) return lose_connection();
  if (!ending_.empty() && in_flight_.empty()) end_session(Session::State::down, ending_);
}

void RedisBroker::lose_connection() {
  const std::string why = connection_.error().text;
  connection_.receive_rest([this](const RedisReply& reply) { return take(reply); });
  if (failure_)
    end_session(failure_->state, failure_->reason);
  else
    end_session(Session::State::down, why);
}

/// False: the session is to be ended, see failure_.
bool RedisBroker::take(const RedisReply& reply) {
  if (phase_ == Phase::greeting)
    take_greeting(reply);
  else
    take_answer(reply);
  return !failure_;
}

void RedisBroker::take_greeting(const RedisReply& reply) {
  const std::string command = std::move(greetings_.front());
  greetings_.pop_front();
  const bool is_error = reply.kind == RedisReply::Kind::error;
  // A user without the right to name its connection may still publish.
  const bool is_harmless =
      command == "CLIENT SETNAME" && (reply.text.starts_with("NOPERM") || reply.text.starts_with("ERR"));
  const RedisErrorMeaning meaning = meaning_of(reply.text);
  if (is_error && (!is_harmless || meaning.verdict == Verdict::unavailable)) {
    const auto state =
        meaning.verdict == Verdict::unavailable ? Session::State::down : Session::State::misconfigured;
    const std::string_view fix =
        reply.text.starts_with("NOAUTH") ? " (give user and password in the route's URL)" : "";
    failure_ = Session{state, connection_.endpoint() + ": " + command + " was refused: " +
                                  shown_error(reply.text, settings_.password) + std::string(fix)};
    return;
  }
  if (!greetings_.empty()) return;
  phase_ = Phase::up;
  pending_.session = Session{Session::State::up, {}};
}

void RedisBroker::take_answer(const RedisReply& reply) {
  if (in_flight_.empty()) return confused("an answer came that nobody had asked for");
  if (!in_flight_.front().message) return take_wait(reply);
  switch (reply.kind) {
    case RedisReply::Kind::text:
      if (settings_.wait_replicas == 0) return deliver_first(Verdict::accepted, {});
      written_.push_back(in_flight_.front());
      return in_flight_.pop_front();
    case RedisReply::Kind::nil:
      return deliver_first(Verdict::misconfigured,
                           "stream does not exist; create it or set create_streams = true");
    case RedisReply::Kind::error:
      return take_error(reply);
    case RedisReply::Kind::integer:
    case RedisReply::Kind::other:
      return confused("an answer came that XADD does not give");
  }
}

void RedisBroker::confused(std::string_view what) {
  failure_ = Session{Session::State::down, connection_.endpoint() + ": " + std::string(what)};
}

void RedisBroker::take_error(const RedisReply& reply) {
  const RedisErrorMeaning meaning = meaning_of(reply.text);
  const std::string text = shown_error(reply.text, settings_.password);
  // The others in flight have answers on their way: ending at once would leave them in doubt.
  if (meaning.ends_session && ending_.empty()) ending_ = "redis: " + connection_.endpoint() + ": " + text;
  deliver_first(meaning.verdict, text);
}

/// The server takes nothing from this connection until the WAIT is answered: one at a time, for all that was
/// written before it.
void RedisBroker::append_wait() {
  in_flight_.push_back({0, nullptr, connection_.appended_bytes()});
  append_command(
      connection_.output(), "WAIT", std::to_string(settings_.wait_replicas),
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(settings_.wait_timeout).count()));
  is_waiting_ = true;
}

/// Too few replicas blame no message, however long they stay away: unavailable lets the route wait and sends
/// all of them again. in_doubt would make a dead letter of the one that is tried alone.
void RedisBroker::take_wait(const RedisReply& reply) {
  Verdict verdict = Verdict::accepted;
  std::string reason;
  if (reply.kind == RedisReply::Kind::error) {
    const RedisErrorMeaning meaning = meaning_of(reply.text);
    verdict = meaning.verdict == Verdict::misconfigured ? Verdict::misconfigured : Verdict::unavailable;
    reason = "WAIT was refused: " + shown_error(reply.text, settings_.password);
    if (meaning.ends_session && ending_.empty()) ending_ = "redis: " + connection_.endpoint() + ": " + reason;
  } else if (reply.kind != RedisReply::Kind::integer) {
    return confused("an answer came that WAIT does not give");
  } else if (reply.number < settings_.wait_replicas) {
    verdict = Verdict::unavailable;
    reason = "the master has it, but only " + std::to_string(reply.number) + " of " +
             std::to_string(settings_.wait_replicas) + " replicas had it within " +
             milliseconds_text(settings_.wait_timeout);
  }
  for (const InFlight& message : written_) deliver(message, verdict, reason);
  written_.clear();
  in_flight_.pop_front();
  is_waiting_ = false;
  if (!in_flight_.empty()) append_wait();
}

void RedisBroker::deliver(const InFlight& message, Verdict verdict, std::string reason) {
  if (!reason.empty()) reason = "redis: XADD to '" + printable(message.message->topic, 60) + "': " + reason;
  pending_.deliveries.push_back({message.ticket, verdict, std::move(reason)});
}

void RedisBroker::deliver_first(Verdict verdict, std::string reason) {
  deliver(in_flight_.front(), verdict, std::move(reason));
  in_flight_.pop_front();
}

std::optional<Instant> RedisBroker::deadline() const {
  switch (phase_) {
    case Phase::closed:
      return std::nullopt;
    case Phase::connecting:
    case Phase::greeting:
      return progress_ + settings_.connect_timeout;
    case Phase::up:
      break;
  }
  if (in_flight_.empty()) return std::nullopt;
  return progress_ + settings_.timeout;
}

void RedisBroker::check_deadline() {
  const auto limit = deadline();
  if (!limit || now() < *limit) return;
  const bool is_up = phase_ == Phase::up;
  end_session(Session::State::down,
              connection_.endpoint() + (is_up ? ": no answer within " : ": no connection within ") +
                  milliseconds_text(is_up ? settings_.timeout : settings_.connect_timeout));
}

void RedisBroker::end_session(Session::State state, std::string what) {
  const std::string reason = what.starts_with("redis: ") ? what : "redis: " + what;
  const std::uint64_t sent = connection_.sent_bytes();
  for (const InFlight& message : written_)
    pending_.deliveries.push_back(
        {message.ticket, Verdict::in_doubt, reason + " (in the master, perhaps not in its replicas)"});
  written_.clear();
  for (const InFlight& message : in_flight_) {
    if (!message.message) continue;
    const bool has_left = message.begin < sent;
    pending_.deliveries.push_back({message.ticket, has_left ? Verdict::in_doubt : Verdict::unavailable,
                                   reason + (has_left ? " (sent, not answered)" : " (not sent)")});
  }
  in_flight_.clear();
  phase_ = Phase::closed;
  failure_.reset();
  connection_.close();
  pending_.session = Session{state, reason};
}

BrokerAdapter redis_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse_redis_settings(target);
    if (!settings) return settings.error();
    if (settings->is_tls && !RedisTls::missing().empty())
      return Error{Fault::misconfigured, "redis: " + RedisTls::missing()};
    return std::unique_ptr<Broker>(std::make_unique<RedisBroker>(std::move(*settings), target));
  };
  return {.name = "redis",
          .schemes = {"redis", "rediss"},
          .settings = redis_setting_specs(),
          .open = open,
          .check = check_redis};
}

}  // namespace outbox
