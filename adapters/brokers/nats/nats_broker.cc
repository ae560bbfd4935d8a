#include "adapters/brokers/nats/nats_broker.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/nats/nats_check.h"
#include "adapters/common/polling.h"
#include "base/text.h"

namespace outbox {
namespace {

/// What is handed to nats.c at once: it moves what is left after every partial write to the front, and over
/// TLS writes all of it before it returns.
constexpr std::size_t slice = 128 << 10;

}  // namespace

NatsBroker::NatsBroker(NatsSettings settings, const BrokerTarget& target)
    : settings_(std::move(settings)), maker_(target.source, target.attributes), connector_(settings_) {
  ignore_write_signals();  // OpenSSL writes without MSG_NOSIGNAL
}

Traits NatsBroker::traits() const {
  return {.deduplicates = true};
}

void NatsBroker::connect() {
  if (phase_ != Phase::closed) end_session(Session::State::down, "a new session was asked for");
  pending_.session.reset();
  ending_.clear();
  last_error_.clear();
  mailbox_ = NatsMailbox::make();
  connector_.begin(mailbox_);
  phase_ = Phase::connecting;
  progress_ = now();
}

void NatsBroker::submit(std::span<const Submission> messages) {
  if (in_flight_.empty()) progress_ = now();
  for (const Submission& submission : messages) {
    if (phase_ != Phase::up || !ending_.empty())
      pending_.deliveries.push_back(
          {submission.ticket, Verdict::unavailable, ending_.empty() ? "nats: not connected" : ending_});
    else if (std::string fault = NatsMessageMaker::fault(*submission.message); !fault.empty())
      pending_.deliveries.push_back({submission.ticket, Verdict::rejected, std::move(fault)});
    else
      in_flight_.push_back({submission.ticket, submission.message});
  }
}

void NatsBroker::poll(Duration timeout, Answers& answers) {
  Instant at = now();
  const Instant end = at + std::min<Duration>(timeout, std::chrono::hours(1));
  for (;; at = now()) {
    const bool has_answers = !pending_.deliveries.empty() || pending_.session;
    const Instant until = std::min(end, deadline().value_or(end));
    const bool is_woken = step(has_answers ? Duration::zero() : until - at);
    check_deadline();
    if (hand_over(pending_, answers) || is_woken || now() >= end) return;
  }
}

/// Waits for the socket and the library's threads, and does what there is to do. True: woken.
bool NatsBroker::step(Duration wait) {
  std::array<pollfd, 3> sources{{{-1, 0, 0}, {wakeup_.descriptor(), POLLIN, 0}, {-1, POLLIN, 0}}};
  if (mailbox_) sources[2].fd = mailbox_->bell.descriptor();
  if (connection_) {
    sources[0].fd = connection_->descriptor();
    sources[0].events = connection_->events();
    if (handed_ < in_flight_.size()) sources[0].events |= POLLOUT;
  }
  if (::poll(sources.data(), sources.size(), poll_milliseconds(wait)) <= 0) return false;
  if (sources[2].revents != 0) take_mail();
  if (connection_ && (sources[0].revents & POLLOUT)) send_more();
  if (connection_ && (sources[0].revents & (POLLIN | POLLHUP | POLLERR))) connection_->read();
  if (connection_ && connection_->is_closed()) lose_connection();
  if (sources[1].revents == 0) return false;
  wakeup_.clear();
  return true;
}

void NatsBroker::lose_connection() {
  take_mail();  // answers that came before
  if (!connection_) return;
  const std::string why = last_error_.empty() ? connection_->error() : last_error_;
  end_session(Session::State::down, connection_->endpoint() + ": " + why);
}

void NatsBroker::advance_connecting() {
  auto outcome = connector_.take();
  if (!outcome) return;
  if (!*outcome)
    return end_session(
        outcome->error().fault == Fault::misconfigured ? Session::State::misconfigured : Session::State::down,
        outcome->error().text);
  connection_ = std::move(*outcome).value();
  greet();
}

/// A message to the own inbox: when it comes back, or the server refuses it, the server has seen the
/// subscription, and would have refused that before.
void NatsBroker::greet() {
  phase_ = Phase::greeting;
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
      deliver(message, Verdict::rejected,
              "payload and headers have more bytes than the server's max_payload of " +
                  std::to_string(connection_->payload_max()));
    else if (status != NATS_OK)
      deliver(message, Verdict::retry, natsStatus_GetText(status));
  }
  ++handed_;
  return true;
}

void NatsBroker::take_mail() {
  mailbox_->bell.clear();
  if (phase_ == Phase::connecting) advance_connecting();
  if (!mailbox_) return;
  mailbox_->take(mail_);
  for (const std::uint64_t number : mail_.accepted) take_answer(number, Verdict::accepted, {});
  for (auto& [number, answer] : mail_.others) take_answer(number, answer.verdict, std::move(answer.text));
  for (const std::string& error : mail_.errors)
    if (connection_) take_error(error);
  drop_done();
  if (mail_.is_leaving && connection_ && ending_.empty())
    ending_ = "nats: " + connection_->endpoint() + ": the server is about to stop (lame duck mode)";
  if (phase_ == Phase::up && !ending_.empty() && in_flight_.empty())
    end_session(Session::State::down, ending_);
}

void NatsBroker::become_up() {
  if (phase_ != Phase::greeting) return;
  phase_ = Phase::up;
  pending_.session = Session{Session::State::up, {}};
}

void NatsBroker::take_answer(std::uint64_t number, Verdict verdict, std::string text) {
  if (number == 0) return become_up();
  const std::uint64_t index = number - first_number_;
  if (number >= first_number_ && index < in_flight_.size())
    deliver(in_flight_[index], verdict, std::move(text));
}

void NatsBroker::take_error(const std::string& error) {
  last_error_ = printable(error, 200);
  const auto denial = nats_denial_in(error);
  if (!denial) return;
  if (!denial->is_publish)
    return end_session(Session::State::misconfigured,
                       connection_->endpoint() + ": the user must be allowed to subscribe to " +
                           settings_.inbox_prefix + ".>, where acknowledgements come; see inbox_prefix");
  if (denial->subject.starts_with(connection_->inbox())) return become_up();
  for (InFlight& message : in_flight_) {
    const std::string_view topic = message.message->topic;
    if (denial->is_cut ? topic.starts_with(denial->subject) : topic == denial->subject)
      deliver(message, Verdict::misconfigured, "the user may not publish to it: " + printable(error, 120));
  }
}

void NatsBroker::deliver(InFlight& message, Verdict verdict, std::string reason) {
  if (std::exchange(message.is_done, true)) return;
  if (verdict != Verdict::accepted)
    reason = "nats: publish to '" + printable(message.message->topic, 60) + "': " + reason;
  pending_.deliveries.push_back({message.ticket, verdict, std::move(reason)});
}

void NatsBroker::drop_done() {
  while (!in_flight_.empty() && in_flight_.front().is_done) {
    in_flight_.pop_front();
    ++first_number_;
    if (handed_ > 0) --handed_;
    progress_ = now();
  }
}

std::optional<Instant> NatsBroker::deadline() const {
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

void NatsBroker::check_deadline() {
  const auto limit = deadline();
  if (!limit || now() < *limit) return;
  if (phase_ == Phase::up)
    return end_session(Session::State::down, connection_->endpoint() + ": no acknowledgement within " +
                                                 milliseconds_text(settings_.timeout));
  end_session(Session::State::down, connector_.endpoints() + ": no connection within " +
                                        milliseconds_text(settings_.connect_timeout));
}

void NatsBroker::end_session(Session::State state, const std::string& what) {
  const std::string reason = what.starts_with("nats: ") ? what : "nats: " + what;
  const std::uint64_t sent = connection_ ? connection_->sent_bytes() : 0;
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    const InFlight& message = in_flight_[i];
    if (message.is_done) continue;
    const bool has_left = i < handed_ && message.begin < sent;
    pending_.deliveries.push_back({message.ticket, has_left ? Verdict::in_doubt : Verdict::unavailable,
                                   reason + (has_left ? " (sent, not acknowledged)" : " (not sent)")});
  }
  first_number_ += in_flight_.size();
  in_flight_.clear();
  handed_ = 0;
  phase_ = Phase::closed;
  connector_.give_up();
  connection_.reset();
  mailbox_.reset();
  pending_.session = Session{state, reason};
}

BrokerAdapter nats_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse_nats_settings(target);
    if (!settings) return settings.error();
    return std::unique_ptr<Broker>(std::make_unique<NatsBroker>(std::move(*settings), target));
  };
  return {.name = "nats",
          .schemes = {"nats", "tls"},
          .settings = nats_setting_specs(),
          .open = open,
          .check = check_nats};
}

}  // namespace outbox
