#include "adapters/brokers/mqtt/mqtt_broker.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/mqtt/mqtt_check.h"
#include "adapters/brokers/mqtt/mqtt_reasons.h"
#include "adapters/common/polling.h"
#include "base/text.h"

namespace outbox {
namespace {

/// The library walks through all that it has in flight for every message and every answer: to mosquitto on the
/// same host 100 gave 76,000 messages/s, 250 88,000, 400 80,000, 1000 60,000. What waits beyond has not left
/// the process.
constexpr std::size_t window_max = 250;

constexpr Duration keep_alive_interval = std::chrono::seconds(1);

std::string of_publish(const Message& message, const std::string& what) {
  return "mqtt: PUBLISH to '" + printable(message.topic, 60) + "': " + what;
}

}  // namespace

MqttBroker::MqttBroker(MqttSettings settings, const BrokerTarget& target)
    : settings_(std::move(settings)), encoder_(target.source, target.attributes), connection_(settings_) {
  ignore_write_signals();  // the library writes without MSG_NOSIGNAL
}

void MqttBroker::connect() {
  if (phase_ != Phase::closed) end_session(Session::State::down, "a new session was asked for");
  pending_.session.reset();
  connection_.begin();
  phase_ = Phase::connecting;
  progress_ = now();
}

void MqttBroker::submit(std::span<const Submission> messages) {
  if (in_flight_.empty() && waiting_.empty()) progress_ = now();
  if (phase_ == Phase::up) {
    waiting_.insert(waiting_.end(), messages.begin(), messages.end());
    return publish_waiting();
  }
  for (const Submission& submission : messages)
    pending_.deliveries.push_back({submission.ticket, Verdict::unavailable, "mqtt: not connected"});
}

void MqttBroker::poll(Duration timeout, Answers& answers) {
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
bool MqttBroker::step(Duration wait) {
  if (phase_ == Phase::up) wait = std::min(wait, keep_alive_interval);
  pollfd sockets[] = {{connection_.descriptor(), connection_.events(), 0}, {wakeup_.descriptor(), POLLIN, 0}};
  const bool is_ready = ::poll(sockets, 2, poll_milliseconds(wait)) > 0;
  if (is_ready && sockets[0].revents != 0 && phase_ == Phase::up) exchange(sockets[0].revents);
  if (phase_ == Phase::up && now() - kept_alive_ >= keep_alive_interval) {
    kept_alive_ = now();
    if (!connection_.keep_alive()) lose_connection();
  }
  if (!is_ready || sockets[1].revents == 0) return false;
  wakeup_.clear();
  return true;
}

void MqttBroker::advance_connecting() {
  switch (connection_.advance()) {
    case MqttConnection::Progress::waiting:
      return;
    case MqttConnection::Progress::ready:
      phase_ = Phase::up;
      window_ = std::min(connection_.greeting().receive_max, window_max);
      kept_alive_ = now();
      pending_.session = Session{Session::State::up, {}};
      return;
    case MqttConnection::Progress::failed: {
      const Error error = connection_.error();
      return end_session(
          error.fault == Fault::misconfigured ? Session::State::misconfigured : Session::State::down,
          error.text);
    }
  }
}

void MqttBroker::exchange(short ready) {
  const bool is_alive = connection_.exchange(ready);
  take_acknowledgements();
  if (!is_alive) return lose_connection();
  publish_waiting();
}

/// Hands over no more than the socket takes: what the library has counts as sent.
void MqttBroker::publish_waiting() {
  while (!waiting_.empty() && in_flight_.size() < window_ && !connection_.is_writing()) {
    const Submission submission = waiting_.front();
    waiting_.pop_front();
    if (!publish(submission)) return lose_connection();
  }
}

/// False: the connection is broken.
bool MqttBroker::publish(const Submission& submission) {
  const Message& message = *submission.message;
  if (std::string fault = encoder_.encode(message, connection_.greeting().packet_bytes_max); !fault.empty()) {
    pending_.deliveries.push_back({submission.ticket, Verdict::rejected, std::move(fault)});
    return true;
  }
  int id = 0;
  switch (connection_.publish(encoder_.topic(), message.payload, encoder_.properties(), id)) {
    case MqttConnection::Handover::refused:
      pending_.deliveries.push_back(
          {submission.ticket, Verdict::rejected, of_publish(message, connection_.error().text)});
      return true;
    case MqttConnection::Handover::done:
      in_flight_.push_back({submission.ticket, &message, id});
      return true;
    case MqttConnection::Handover::broken:
      in_flight_.push_back({submission.ticket, &message, id});
      return false;
  }
  return false;
}

void MqttBroker::take_acknowledgements() {
  for (const MqttAcknowledgement& answer : connection_.acknowledgements()) {
    progress_ = now();
    const auto found = std::ranges::find(in_flight_, answer.id, &InFlight::id);  // mostly the first
    if (found == in_flight_.end()) continue;
    deliver(*found, answer);
    in_flight_.erase(found);
  }
  connection_.acknowledgements().clear();
}

void MqttBroker::deliver(const InFlight& message, const MqttAcknowledgement& answer) {
  if (answer.reason == mqtt_no_subscribers && !settings_.accepts_no_subscribers) {
    pending_.deliveries.push_back(
        {message.ticket, Verdict::rejected,
         of_publish(*message.message,
                    "nobody has subscribed, so the server has dropped it (0x10); have the consumer subscribe "
                    "with a session that lasts and requeue, or set no_subscribers = \"accepted\"")});
    return;
  }
  const Verdict verdict = mqtt_verdict(answer.reason);
  pending_.deliveries.push_back(
      {message.ticket, verdict,
       verdict == Verdict::accepted
           ? ""
           : of_publish(*message.message, describe_mqtt(answer.reason, answer.text))});
}

void MqttBroker::lose_connection() {
  connection_.read_rest();
  take_acknowledgements();
  const int reason = connection_.end_reason();
  // The server's last word is about a message, and there is only one that it can be about.
  if (in_flight_.size() == 1 && mqtt_blames_message(reason)) {
    deliver(in_flight_.front(), {in_flight_.front().id, reason, {}});
    in_flight_.clear();
  }
  end_session(Session::State::down, connection_.error().text);
}

std::optional<Instant> MqttBroker::deadline() const {
  switch (phase_) {
    case Phase::closed:
      return std::nullopt;
    case Phase::connecting:
      return progress_ + settings_.connect_timeout;
    case Phase::up:
      break;
  }
  if (in_flight_.empty() && waiting_.empty()) return std::nullopt;
  return progress_ + settings_.timeout;
}

void MqttBroker::check_deadline() {
  const auto limit = deadline();
  if (!limit || now() < *limit) return;
  const bool is_up = phase_ == Phase::up;
  end_session(Session::State::down,
              connection_.endpoint() + (is_up ? ": no answer within " : ": no connection within ") +
                  milliseconds_text(is_up ? settings_.timeout : settings_.connect_timeout));
}

void MqttBroker::end_session(Session::State state, std::string what) {
  const std::string reason = "mqtt: " + what;
  // A server that ends the session because it stops, or is busy, blames no message.
  const bool is_excused = mqtt_verdict(connection_.end_reason()) == Verdict::unavailable;
  const Verdict silence = is_excused ? Verdict::unavailable : Verdict::in_doubt;
  for (const InFlight& message : in_flight_)
    pending_.deliveries.push_back({message.ticket, silence, reason + " (sent, not answered)"});
  for (const Submission& submission : waiting_)
    pending_.deliveries.push_back({submission.ticket, Verdict::unavailable, reason + " (not sent)"});
  in_flight_.clear();
  waiting_.clear();
  phase_ = Phase::closed;
  connection_.close();
  pending_.session = Session{state, reason};
}

BrokerAdapter mqtt_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse_mqtt_settings(target);
    if (!settings) return settings.error();
    if (settings->is_tls && !MqttTls::missing().empty())
      return Error{Fault::misconfigured, "mqtt: " + MqttTls::missing()};
    return std::unique_ptr<Broker>(std::make_unique<MqttBroker>(std::move(*settings), target));
  };
  return {.name = "mqtt",
          .schemes = {"mqtt", "mqtts"},
          .settings = mqtt_setting_specs(),
          .open = open,
          .check = check_mqtt};
}

}  // namespace outbox
