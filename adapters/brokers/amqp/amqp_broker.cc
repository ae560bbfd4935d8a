#include "adapters/brokers/amqp/amqp_broker.h"

#include <algorithm>
#include <utility>

#include "adapters/brokers/amqp/amqp_errors.h"
#include "adapters/brokers/brokers.h"
#include "adapters/common/server_adapter.h"
#include "base/text.h"

namespace outbox {

AmqpBroker::AmqpBroker(AmqpSettings settings, const BrokerTarget& target)
    : ServerBroker(amqp_server, settings),
      settings_(std::move(settings)),
      encoder_(target.source, target.attributes, settings_.exchange, settings_.attribute_prefix),
      connection_(settings_) {}

void AmqpBroker::begin() {
  connection_.begin();
  is_opening_ = false;
  sent_before_ = 0;
}

void AmqpBroker::take(std::span<const Submission> messages) {
  for (const Submission& submission : messages) {
    if (!connection_.blocked().empty()) {
      deliver(
          submission.ticket, Verdict::unavailable,
          where() + "the server takes no messages now (connection.blocked: " + connection_.blocked() + ")");
      continue;
    }
    const std::uint64_t begin = connection_.appended_bytes();
    if (std::string fault = encoder_.append(connection_.output(), *submission.message); !fault.empty())
      deliver(submission.ticket, Verdict::rejected, std::move(fault));
    else
      unconfirmed_.push(submission.ticket, submission.message, begin, connection_.appended_bytes());
  }
  flush();
}

void AmqpBroker::advance() {
  if (is_connecting() && !is_opening_ && reaches(connection_)) open_channel();
}

void AmqpBroker::open_channel() {
  is_opening_ = true;
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
  flush();
}

void AmqpBroker::step(Duration wait) {
  const short ready = await(connection_.descriptor(), connection_.events(), wait);
  if (ready == 0 || (is_connecting() && !is_opening_)) return;
  if (ready & POLLOUT) flush();
  if (!has_failed() && (ready & (POLLIN | POLLHUP | POLLERR)) && !receive()) lose_connection();
}

void AmqpBroker::flush() {
  if (!connection_.flush()) lose_connection();
}

bool AmqpBroker::receive() {
  return connection_.receive([this](const amqp_frame_t& frame) { return take(frame); });
}

void AmqpBroker::lose_connection() {
  (void)receive();  // the answers that had come before it broke
  fail(connection_.error());
}

/// False: nothing more is to be read, the session ends.
bool AmqpBroker::take(const amqp_frame_t& frame) {
  if (has_failed() || frame.channel != publish_channel) return !has_failed();
  if (frame.frame_type == AMQP_FRAME_METHOD)
    take_method(frame.payload.method);
  else if (frame.frame_type == AMQP_FRAME_HEADER)
    take_returned(*static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded));
  return !has_failed();
}

void AmqpBroker::take_method(const amqp_method_t& method) {
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD)
    return take_channel_close(*static_cast<const amqp_channel_close_t*>(method.decoded));
  if (is_opening_) return take_opened(method);
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
  is_opening_ = false;
  come_up();
}

void AmqpBroker::take_confirm(std::uint64_t tag, bool multiple, bool is_taken) {
  const bool is_known =
      unconfirmed_.answer(tag, multiple, [&](const Unconfirmed::Entry& entry) { answer(entry, is_taken); });
  if (!is_known) fail_here(Session::State::down, "a confirm came for a message that nobody had published");
}

void AmqpBroker::take_returned(const amqp_basic_properties_t& properties) {
  if (!unconfirmed_.mark_returned(text_of(properties.message_id), returned_topic_))
    fail_here(Session::State::down, "a message was returned that nobody had published");
}

/// A message that is turned away takes the channel with it. Which one it was is certain only of one alone: of
/// several, each may be the guilty one, and each may have been taken.
void AmqpBroker::take_channel_close(const amqp_channel_close_t& close) {
  const std::string_view text = text_of(close.reply_text);
  const std::string shown = shown_close(close.reply_code, text, settings_.password);
  if (is_opening_) {
    const std::string fix =
        close.reply_code == AMQP_NOT_FOUND ? "; declare the exchange or correct the setting `exchange`" : "";
    return fail({fault_of_close(close.reply_code, text), endpoint() + ": channel refused: " + shown + fix});
  }
  const bool is_publish = close.class_id == AMQP_BASIC_CLASS;
  if (is_publish && unconfirmed_.open() == 1 && connection_.sent_bytes() > unconfirmed_.oldest().begin) {
    unconfirmed_.give_up([&](const Unconfirmed::Entry& entry) {
      // That the exchange is gone concerns every topic.
      const Scope scope = close.reply_code == AMQP_NOT_FOUND ? Scope::route : Scope::topic;
      deliver(entry.ticket, verdict_of_close(close.reply_code), about(*entry.message) + shown, scope);
    });
  }
  fail_here(Session::State::down, "the server closed the channel: " + shown);
}

void AmqpBroker::answer(const Unconfirmed::Entry& entry, bool is_taken) {
  if (is_taken && !entry.is_returned) return deliver(entry.ticket, Verdict::accepted);
  const bool has_exchange = !settings_.exchange.empty();
  const std::string unroutable = has_exchange ? "no queue is bound to exchange '" +
                                                    printable(settings_.exchange, 60) + "' for it; bind one"
                                              : "there is no such queue; declare it, or name an `exchange`";
  const std::string nacked = "the server did not take it (basic.nack): its queue is full or not running";
  deliver(entry.ticket, entry.is_returned ? Verdict::misconfigured : Verdict::unavailable,
          about(*entry.message) + (entry.is_returned ? unroutable : nacked), Scope::topic);
}

Instant AmqpBroker::tick_at() const {
  return is_up() ? connection_.beat_at().value_or(Instant::max()) : Instant::max();
}

/// The queues of a server answer each at its own pace, so others' confirms are no progress: only the oldest
/// message's are, or that it is still on its way out.
void AmqpBroker::tick() {
  if (!is_up() || has_failed()) return;
  if (!connection_.beat(now())) return fail(connection_.error());
  if (unconfirmed_.empty()) return;
  const std::uint64_t sent = connection_.sent_bytes(), begin = unconfirmed_.oldest().begin;
  const bool is_leaving = sent < unconfirmed_.oldest().end && sent != sent_before_;
  if (begin != oldest_begin_ || is_leaving) alive();
  oldest_begin_ = begin;
  sent_before_ = sent;
}

void AmqpBroker::overdue() {
  const std::string& blocked = connection_.blocked();
  const bool is_excused = is_up() && !blocked.empty();
  fail(Session::State::down, silence() + (is_excused ? " (connection.blocked: " + blocked + ")" : ""));
}

void AmqpBroker::fail_here(Session::State state, std::string_view what) {
  fail(state, where() + std::string(what));
}

void AmqpBroker::end(const std::string& reason) {
  // A server that has said it takes nothing now does not leave its silence to be understood: nobody is to
  // blame.
  const Verdict silence = connection_.blocked().empty() ? Verdict::in_doubt : Verdict::unavailable;
  unconfirmed_.give_up([&](const Unconfirmed::Entry& entry) {
    give_up(entry.ticket, entry.begin < connection_.sent_bytes(), reason, silence);
  });
  connection_.close();
}

BrokerAdapter amqp_adapter() {
  return server_adapter<AmqpBroker>(amqp_server, amqp_setting_specs(), parse_amqp_settings, check_amqp);
}

}  // namespace outbox
