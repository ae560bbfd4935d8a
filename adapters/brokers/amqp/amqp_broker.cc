#include "adapters/brokers/amqp/amqp_broker.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "adapters/brokers/amqp/amqp_errors.h"
#include "adapters/common/polling.h"
#include "base/text.h"

namespace outbox {
namespace {

Session::State state_of(Fault fault) {
  return fault == Fault::misconfigured ? Session::State::misconfigured : Session::State::down;
}

std::string publish_to(const Message& message) {
  return "amqp: publish to '" + printable(message.topic, 60) + "': ";
}

}  // namespace

AmqpBroker::AmqpBroker(AmqpSettings settings, const BrokerTarget& target)
    : settings_(std::move(settings)),
      encoder_(target.source, target.attributes, settings_.exchange),
      connection_(settings_) {
  ignore_write_signals();  // OpenSSL writes without MSG_NOSIGNAL
}

AmqpBroker::~AmqpBroker() {
  connection_.close();
}

void AmqpBroker::connect() {
  if (phase_ != Phase::closed) end_session(Session::State::down, "a new session was asked for");
  pending_.session.reset();
  connection_.begin();
  phase_ = Phase::connecting;
  progress_ = now();
  sent_before_ = 0;
}

void AmqpBroker::submit(std::span<const Submission> messages) {
  if (window_.empty()) progress_ = now();
  for (const Submission& submission : messages) accept_for_sending(submission);
  if (phase_ == Phase::up && !connection_.flush()) lose_connection();
}

void AmqpBroker::accept_for_sending(const Submission& submission) {
  const auto turn_away = [&](Verdict verdict, std::string reason) {
    pending_.deliveries.push_back({submission.ticket, verdict, std::move(reason)});
  };
  if (phase_ != Phase::up) return turn_away(Verdict::unavailable, "amqp: not connected");
  if (!connection_.blocked().empty())
    return turn_away(
        Verdict::unavailable,
        where() + "the server takes no messages now (connection.blocked: " + connection_.blocked() + ")");
  const std::uint64_t begin = connection_.appended_bytes();
  if (std::string fault = encoder_.append(connection_.output(), *submission.message); !fault.empty())
    return turn_away(Verdict::rejected, std::move(fault));
  window_.push(submission.ticket, submission.message, begin, connection_.appended_bytes());
}

void AmqpBroker::poll(Duration timeout, Answers& answers) {
  Instant at = now();
  const Instant end = at + std::min<Duration>(timeout, std::chrono::hours(1));
  for (;; at = now()) {
    if (phase_ == Phase::connecting) advance_connecting();
    const bool has_answers = !pending_.deliveries.empty() || pending_.session;
    Instant until = std::min(end, deadline().value_or(end));
    if (phase_ == Phase::up) until = std::min(until, connection_.beat_at().value_or(end));
    const bool is_woken = step(has_answers ? Duration::zero() : until - at);
    check_deadlines();
    if (hand_over(pending_, answers) || is_woken || now() >= end) return;
  }
}

/// Waits for the socket and does what it is ready for. True: woken.
bool AmqpBroker::step(Duration wait) {
  pollfd sockets[] = {{connection_.descriptor(), connection_.events(), 0}, {wakeup_.descriptor(), POLLIN, 0}};
  if (::poll(sockets, 2, poll_milliseconds(wait)) <= 0) return false;
  if (sockets[0].revents != 0 && (phase_ == Phase::opening || phase_ == Phase::up))
    exchange(sockets[0].revents);
  if (sockets[1].revents == 0) return false;
  wakeup_.clear();
  return true;
}

void AmqpBroker::advance_connecting() {
  switch (connection_.advance()) {
    case AmqpConnection::Progress::waiting:
      return;
    case AmqpConnection::Progress::ready:
      return open_channel();
    case AmqpConnection::Progress::failed:
      return end_session(state_of(connection_.error().fault), connection_.error().text);
  }
}

void AmqpBroker::open_channel() {
  phase_ = Phase::opening;
  encoder_.set_frame_max(connection_.frame_max());
  amqp_channel_open_t open{};
  append_method(connection_.output(), publish_channel, AMQP_CHANNEL_OPEN_METHOD, &open);
  // An exchange that is missing closes the channel: better now than under the messages of others.
  if (!settings_.exchange.empty()) {
    amqp_exchange_declare_t look{};
    look.exchange = amqp_bytes_of(settings_.exchange);
    look.passive = true;
    append_method(connection_.output(), publish_channel, AMQP_EXCHANGE_DECLARE_METHOD, &look);
  }
  amqp_confirm_select_t confirms{};
  append_method(connection_.output(), publish_channel, AMQP_CONFIRM_SELECT_METHOD, &confirms);
  if (!connection_.flush()) lose_connection();
}

void AmqpBroker::exchange(short ready) {
  bool is_alive = true;
  if (ready & POLLOUT) is_alive = connection_.flush();
  if (is_alive && (ready & (POLLIN | POLLHUP | POLLERR)))
    is_alive = connection_.receive([this](const amqp_frame_t& frame) { return take(frame); });
  if (!is_alive) return lose_connection();
  if (failure_) end_session(failure_->state, failure_->reason);
}

void AmqpBroker::lose_connection() {
  // The answers that had come before it broke, which a failed write leaves unread.
  (void)connection_.receive([this](const amqp_frame_t& frame) { return take(frame); });
  if (failure_) return end_session(failure_->state, failure_->reason);
  end_session(state_of(connection_.error().fault), connection_.error().text);
}

/// False: nothing more is to be read, the session ends.
bool AmqpBroker::take(const amqp_frame_t& frame) {
  if (failure_ || frame.channel != publish_channel) return !failure_;
  if (frame.frame_type == AMQP_FRAME_METHOD)
    take_method(frame.payload.method);
  else if (frame.frame_type == AMQP_FRAME_HEADER)
    take_returned(*static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded));
  return !failure_;
}

void AmqpBroker::take_method(const amqp_method_t& method) {
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD)
    return take_channel_close(*static_cast<const amqp_channel_close_t*>(method.decoded));
  if (phase_ == Phase::opening) return take_opened(method);
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(method.decoded);
      return take_confirm(ack.delivery_tag, ack.multiple, true);
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(method.decoded);
      return take_confirm(nack.delivery_tag, nack.multiple, false);
    }
    case AMQP_BASIC_RETURN_METHOD:
      returned_topic_ = text_of(static_cast<const amqp_basic_return_t*>(method.decoded)->routing_key);
      return;
    default:
      return;
  }
}

void AmqpBroker::take_opened(const amqp_method_t& method) {
  if (method.id != AMQP_CONFIRM_SELECT_OK_METHOD) return;
  phase_ = Phase::up;
  pending_.session = Session{Session::State::up, {}};
}

void AmqpBroker::take_confirm(std::uint64_t tag, bool multiple, bool is_taken) {
  const bool is_known =
      window_.settle(tag, multiple, [&](const ConfirmWindow::Entry& entry) { deliver(entry, is_taken); });
  if (!is_known) fail(Session::State::down, "a confirm came for a message that nobody had published");
}

void AmqpBroker::take_returned(const amqp_basic_properties_t& properties) {
  if (!window_.mark_returned(text_of(properties.message_id), returned_topic_))
    fail(Session::State::down, "a message was returned that nobody had published");
}

/// A message that is turned away takes the channel with it. Which one it was is certain only of one alone: of
/// several, each may be the guilty one, and each may have been taken.
void AmqpBroker::take_channel_close(const amqp_channel_close_t& close) {
  const std::string_view text = text_of(close.reply_text);
  const std::string shown = shown_close(close.reply_code, text, settings_.password);
  if (phase_ == Phase::opening) {
    const std::string fix =
        close.reply_code == AMQP_NOT_FOUND ? "; declare the exchange or correct the setting `exchange`" : "";
    return fail(state_of(fault_of_close(close.reply_code, text)), "channel refused: " + shown + fix);
  }
  const bool is_publish = close.class_id == AMQP_BASIC_CLASS;
  if (is_publish && window_.open() == 1 && connection_.sent_bytes() > window_.oldest().begin) {
    window_.give_up([&](const ConfirmWindow::Entry& entry) {
      pending_.deliveries.push_back(
          {entry.ticket, verdict_of_close(close.reply_code), publish_to(*entry.message) + shown});
    });
  }
  fail(Session::State::down, "the server closed the channel: " + shown);
}

void AmqpBroker::deliver(const ConfirmWindow::Entry& entry, bool is_taken) {
  if (is_taken && !entry.is_returned) {
    pending_.deliveries.push_back({entry.ticket, Verdict::accepted, {}});
    return;
  }
  const bool has_exchange = !settings_.exchange.empty();
  const std::string unroutable = has_exchange ? "no queue is bound to exchange '" +
                                                    printable(settings_.exchange, 60) + "' for it; bind one"
                                              : "there is no such queue; declare it, or name an `exchange`";
  const std::string nacked = "the server did not take it (basic.nack): its queue is full or not running";
  pending_.deliveries.push_back({entry.ticket, entry.is_returned ? Verdict::misconfigured : Verdict::retry,
                                 publish_to(*entry.message) + (entry.is_returned ? unroutable : nacked)});
}

/// The queues of a server answer each at its own pace, so others' confirms are no progress: only the oldest
/// message's are, or that it is still on its way out.
void AmqpBroker::track_progress() {
  if (phase_ != Phase::up || window_.empty()) return;
  const std::uint64_t sent = connection_.sent_bytes(), begin = window_.oldest().begin;
  const bool is_leaving = sent < window_.oldest().end && sent != sent_before_;
  if (begin != oldest_begin_ || is_leaving) progress_ = now();
  oldest_begin_ = begin;
  sent_before_ = sent;
}

std::optional<Instant> AmqpBroker::deadline() const {
  switch (phase_) {
    case Phase::closed:
      return std::nullopt;
    case Phase::connecting:
    case Phase::opening:
      return progress_ + settings_.connect_timeout;
    case Phase::up:
      break;
  }
  if (window_.empty()) return std::nullopt;
  return progress_ + settings_.timeout;
}

void AmqpBroker::check_deadlines() {
  if (phase_ == Phase::up && !connection_.beat(now()))
    return end_session(Session::State::down, connection_.error().text);
  track_progress();
  const auto limit = deadline();
  if (!limit || now() < *limit) return;
  if (phase_ != Phase::up)
    return end_session(Session::State::down,
                       where() + "no connection within " + milliseconds_text(settings_.connect_timeout));
  const std::string& blocked = connection_.blocked();
  end_session(Session::State::down, where() + "no confirm within " + milliseconds_text(settings_.timeout) +
                                        (blocked.empty() ? "" : " (connection.blocked: " + blocked + ")"));
}

void AmqpBroker::fail(Session::State state, std::string_view what) {
  failure_ = Session{state, where() + std::string(what)};
}

void AmqpBroker::end_session(Session::State state, const std::string& what) {
  const std::string reason = what.starts_with("amqp: ") ? what : "amqp: " + what;
  const std::uint64_t sent = connection_.sent_bytes();
  // A server that has said it takes nothing now does not leave its silence to be understood: nobody is to
  // blame.
  const Verdict silence = connection_.blocked().empty() ? Verdict::in_doubt : Verdict::unavailable;
  window_.give_up([&](const ConfirmWindow::Entry& entry) {
    const bool has_left = entry.begin < sent;
    pending_.deliveries.push_back({entry.ticket, has_left ? silence : Verdict::unavailable,
                                   reason + (has_left ? " (sent, not confirmed)" : " (not sent)")});
  });
  phase_ = Phase::closed;
  failure_.reset();
  connection_.close();
  pending_.session = Session{state, reason};
}

std::string AmqpBroker::where() const {
  return "amqp: " + connection_.endpoint() + ": ";
}

}  // namespace outbox
