#include "adapters/brokers/nats/nats_broker.h"

#include <array>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/common/server_adapter.h"
#include "base/text.h"

namespace outbox {
namespace {

/// What is handed to nats.c at once: it moves what is left after every partial write to the front, and over
/// TLS writes all of it before it returns.
constexpr std::size_t slice = 128 << 10;

}  // namespace

NatsBroker::NatsBroker(NatsSettings settings, const BrokerTarget& target)
    : ServerBroker(nats_server, settings),
      settings_(std::move(settings)),
      maker_(target.source, target.attributes),
      connector_(settings_) {}

Traits NatsBroker::traits() const {
  return {.deduplicates = true};
}

std::string NatsBroker::endpoint() const {
  return is_up() ? connection_->endpoint() : connector_.endpoints();
}

void NatsBroker::begin() {
  last_error_.clear();
  mailbox_ = NatsMailbox::make();
  connector_.begin(mailbox_);
}

void NatsBroker::take(std::span<const Submission> messages) {
  for (const Submission& submission : messages) {
    if (std::string fault = NatsMessageMaker::fault(*submission.message); !fault.empty())
      deliver(submission.ticket, Verdict::rejected, std::move(fault));
    else
      in_flight_.push_back({submission.ticket, submission.message});
  }
}

/// Waits for the socket and the library's threads.
void NatsBroker::step(Duration wait) {
  std::array<pollfd, 2> sources{{{-1, 0, 0}, {mailbox_->bell.descriptor(), POLLIN, 0}}};
  if (connection_) {
    sources[0].fd = connection_->descriptor();
    sources[0].events = connection_->events();
    if (handed_ < in_flight_.size()) sources[0].events |= POLLOUT;
  }
  await(sources, wait);
  const short ready = sources[0].revents;
  if (sources[1].revents != 0) take_mail();
  if (!connection_ || has_failed()) return;
  if (ready & POLLOUT) send_more();
  if (ready & (POLLIN | POLLHUP | POLLERR)) connection_->read();
  if (connection_->is_closed()) lose_connection();
}

void NatsBroker::lose_connection() {
  take_mail();  // answers that came before
  fail(Session::State::down,
       connection_->endpoint() + ": " + (last_error_.empty() ? connection_->error() : last_error_));
}

void NatsBroker::finish_connecting() {
  auto outcome = connector_.take();
  if (!outcome) return;
  if (!*outcome) return fail(outcome->error());
  connection_ = std::move(*outcome).value();
  greet();
}

/// A message to the own inbox: when it comes back, or the server refuses it, the server has seen the
/// subscription, and would have refused that before.
void NatsBroker::greet() {
  natsMsg* greeting = nullptr;
  natsMsg_Create(&greeting, (connection_->inbox() + ".0").c_str(), nullptr, nullptr, 0);
  const NatsMsg owner(greeting);
  connection_->publish(greeting);
}

void NatsBroker::send_more() {
  while (handed_ < in_flight_.size() && connection_->waiting_bytes() < slice)
    if (!hand_to_library(handed_)) return;
  drop_done();
  connection_->write();
}

/// False: the connection is closed.
bool NatsBroker::hand_to_library(std::size_t index) {
  InFlight& message = in_flight_[index];
  if (!message.is_done) {
    reply_ = connection_->inbox();
    reply_ += '.';
    reply_ += std::to_string(first_number_ + index);
    message.begin = connection_->appended_bytes();
    const NatsMsg made = maker_.make(*message.message, reply_);
    const natsStatus status = connection_->publish(made.get());
    if (status == NATS_CONNECTION_CLOSED) return false;
    if (status == NATS_MAX_PAYLOAD)
      answer(message, Verdict::rejected,
             "payload and headers have more bytes than the server's max_payload of " +
                 std::to_string(connection_->payload_max()));
    else if (status != NATS_OK)
      answer(message, Verdict::retry, natsStatus_GetText(status));
  }
  ++handed_;
  return true;
}

void NatsBroker::take_mail() {
  mailbox_->bell.clear();
  if (is_connecting() && !connection_) finish_connecting();
  mailbox_->take(mail_);
  for (const std::uint64_t number : mail_.accepted) take_answer(number, {Verdict::accepted, {}});
  for (const auto& [number, answer] : mail_.others) take_answer(number, answer);
  for (const std::string& error : mail_.errors)
    if (connection_) take_error(error);
  drop_done();
  if (mail_.is_leaving && connection_)
    end_after_answers(Session::State::down,
                      connection_->endpoint() + ": the server is about to stop (lame duck mode)");
}

void NatsBroker::take_greeting() {
  if (is_connecting()) come_up();
}

void NatsBroker::take_answer(std::uint64_t number, const NatsAnswer& what) {
  if (number == 0) return take_greeting();
  const std::uint64_t index = number - first_number_;
  if (number >= first_number_ && index < in_flight_.size())
    answer(in_flight_[index], what.verdict, what.text, what.scope, what.duplicate);
}

void NatsBroker::take_error(const std::string& error) {
  last_error_ = printable(error, 200);
  const auto denial = nats_denial_in(error);
  if (!denial) return;
  if (!denial->is_publish)
    return fail(Session::State::misconfigured,
                connection_->endpoint() + ": the user must be allowed to subscribe to " +
                    settings_.inbox_prefix + ".>, where acknowledgements come; see inbox_prefix");
  if (denial->subject.starts_with(connection_->inbox())) return take_greeting();
  for (InFlight& message : in_flight_) {
    const std::string_view topic = message.message->topic;
    if (denial->is_cut ? topic.starts_with(denial->subject) : topic == denial->subject)
      answer(message, Verdict::misconfigured, "the user may not publish to it: " + printable(error, 120));
  }
}

void NatsBroker::answer(InFlight& message, Verdict verdict, const std::string& reason, Scope scope,
                        bool duplicate) {
  if (std::exchange(message.is_done, true)) return;
  deliver(message.ticket, verdict, verdict == Verdict::accepted ? "" : about(*message.message) + reason,
          scope, duplicate);
}

void NatsBroker::drop_done() {
  while (!in_flight_.empty() && in_flight_.front().is_done) {
    in_flight_.pop_front();
    ++first_number_;
    if (handed_ > 0) --handed_;
    alive();
  }
}

void NatsBroker::end(const std::string& reason) {
  const std::uint64_t sent = connection_ ? connection_->sent_bytes() : 0;
  for (std::size_t i = 0; i < in_flight_.size(); ++i)
    if (const InFlight& message = in_flight_[i]; !message.is_done)
      give_up(message.ticket, i < handed_ && message.begin < sent, reason);
  first_number_ += in_flight_.size();
  in_flight_.clear();
  handed_ = 0;
  connector_.give_up();
  connection_.reset();
  mailbox_.reset();
}

BrokerAdapter nats_adapter() {
  return server_adapter<NatsBroker>(nats_server, nats_setting_specs(), parse_nats_settings, check_nats);
}

}  // namespace outbox
