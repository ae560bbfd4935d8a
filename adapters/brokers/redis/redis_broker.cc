#include "adapters/brokers/redis/redis_broker.h"

#include <string_view>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/redis/redis_errors.h"
#include "adapters/brokers/redis/resp.h"
#include "adapters/common/server_adapter.h"

namespace outbox {

RedisBroker::RedisBroker(RedisSettings settings, const BrokerTarget& target)
    : ServerBroker(redis_server, settings),
      settings_(std::move(settings)),
      encoder_(target.source, target.attributes, settings_.length_max, settings_.create_streams),
      stream_(settings_) {}

void RedisBroker::begin() {
  stream_.begin();
  replies_.reset();
  greetings_.clear();
  is_greeting_ = is_waiting_ = false;
}

void RedisBroker::take(std::span<const Submission> messages) {
  for (const Submission& submission : messages) {
    const std::uint64_t begin = stream_.appended_bytes();
    if (std::string fault = encoder_.append(stream_.output(), *submission.message); !fault.empty())
      deliver(submission.ticket, Verdict::rejected, std::move(fault));
    else
      in_flight_.push_back({submission.ticket, submission.message, begin});
  }
  if (!is_waiting_ && !in_flight_.empty() && settings_.wait_replicas > 0) append_wait();
  flush();
}

void RedisBroker::advance() {
  if (is_connecting() && !is_greeting_ && reaches(stream_)) greet();
}

void RedisBroker::step(Duration wait) {
  const short ready = await(stream_.descriptor(), stream_.events(), wait);
  if (ready == 0 || (is_connecting() && !is_greeting_)) return;
  if (ready & (POLLIN | POLLHUP | POLLERR)) {
    const bool is_alive = receive();
    if (is_up()) alive();
    if (!is_alive) return fail(stream_.error());
  }
  flush();
}

void RedisBroker::greet() {
  is_greeting_ = true;
  OutputBuffer& output = stream_.output();
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
  flush();
}

void RedisBroker::flush() {
  if (has_failed() || stream_.flush()) return;
  (void)receive();  // what had come before it broke
  fail(stream_.error());
}

/// False: the connection is broken.
bool RedisBroker::receive() {
  const auto use = [this](const RedisReply& reply) {
    is_greeting_ ? take_greeting(reply) : take_answer(reply);
    return !has_failed();
  };
  return stream_.receive([&](std::string_view bytes) {
    if (!replies_.feed(bytes, use)) confused(replies_.error());
    return !has_failed();
  });
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
    return fail(state, endpoint() + ": " + command +
                           " was refused: " + shown_error(reply.text, settings_.password) + std::string(fix));
  }
  if (!greetings_.empty()) return;
  is_greeting_ = false;
  come_up();
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
  fail(Session::State::down, endpoint() + ": " + std::string(what));
}

void RedisBroker::take_error(const RedisReply& reply) {
  const RedisErrorMeaning meaning = meaning_of(reply.text);
  const std::string text = shown_error(reply.text, settings_.password);
  // The others in flight have answers on their way: ending at once would leave them in doubt.
  if (meaning.ends_session) end_after_answers(Session::State::down, endpoint() + ": " + text);
  deliver_first(meaning.verdict, text);
}

/// The server takes nothing from this connection until the WAIT is answered: one at a time, for all that was
/// written before it.
void RedisBroker::append_wait() {
  in_flight_.push_back({0, nullptr, stream_.appended_bytes()});
  append_command(
      stream_.output(), "WAIT", std::to_string(settings_.wait_replicas),
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
    if (meaning.ends_session) end_after_answers(Session::State::down, endpoint() + ": " + reason);
  } else if (reply.kind != RedisReply::Kind::integer) {
    return confused("an answer came that WAIT does not give");
  } else if (reply.number < settings_.wait_replicas) {
    verdict = Verdict::unavailable;
    reason = "the master has it, but only " + std::to_string(reply.number) + " of " +
             std::to_string(settings_.wait_replicas) + " replicas had it within " +
             milliseconds_text(settings_.wait_timeout);
  }
  for (const InFlight& message : written_)
    deliver(message.ticket, verdict, reason.empty() ? "" : about(*message.message) + reason, Scope::route);
  written_.clear();
  in_flight_.pop_front();
  is_waiting_ = false;
  if (!in_flight_.empty()) append_wait();
}

void RedisBroker::deliver_first(Verdict verdict, std::string reason) {
  const InFlight& message = in_flight_.front();
  deliver(message.ticket, verdict, reason.empty() ? "" : about(*message.message) + reason);
  in_flight_.pop_front();
}

void RedisBroker::end(const std::string& reason) {
  for (const InFlight& message : written_)
    deliver(message.ticket, Verdict::in_doubt, reason + " (in the master, perhaps not in its replicas)");
  written_.clear();
  for (const InFlight& message : in_flight_)
    if (message.message) give_up(message.ticket, message.begin < stream_.sent_bytes(), reason);
  in_flight_.clear();
  stream_.close();
}

BrokerAdapter redis_adapter() {
  return server_adapter<RedisBroker>(redis_server, redis_setting_specs(), parse_redis_settings, check_redis);
}

}  // namespace outbox
