#include "adapters/brokers/mqtt/mqtt_broker.h"

#include <algorithm>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/mqtt/mqtt_reasons.h"
#include "adapters/common/server_adapter.h"

namespace outbox {
namespace {

/// The library walks through all that it has in flight for every message and every answer: to mosquitto on
/// the same host 100 gave 76,000 messages/s, 250 88,000, 400 80,000, 1000 60,000. What waits beyond has not
/// left the process.
constexpr std::size_t in_flight_max = 250;

constexpr Duration keep_alive_interval = std::chrono::seconds(1);

}  // namespace

MqttBroker::MqttBroker(MqttSettings settings, const BrokerTarget& target)
    : ServerBroker(mqtt_server, settings),
      settings_(std::move(settings)),
      encoder_(target.source, target.attributes),
      connection_(settings_) {}

void MqttBroker::take(std::span<const Submission> messages) {
  waiting_.insert(waiting_.end(), messages.begin(), messages.end());
  publish_waiting();
}

void MqttBroker::advance() {
  if (!is_connecting() || !reaches(connection_)) return;
  in_flight_max_ = std::min(connection_.greeting().receive_max, in_flight_max);
  kept_alive_ = now();
  come_up();
}

void MqttBroker::step(Duration wait) {
  const short ready = await(connection_.descriptor(), connection_.events(), wait);
  if (ready == 0 || !is_up()) return;
  const bool is_alive = connection_.exchange(ready);
  take_acknowledgements();
  if (!is_alive) return lose_connection();
  publish_waiting();
}

Instant MqttBroker::tick_at() const {
  return is_up() ? kept_alive_ + keep_alive_interval : Instant::max();
}

void MqttBroker::tick() {
  if (!is_up() || has_failed() || now() - kept_alive_ < keep_alive_interval) return;
  kept_alive_ = now();
  if (!connection_.keep_alive()) lose_connection();
}

/// Hands over no more than the socket takes: what the library has counts as sent.
void MqttBroker::publish_waiting() {
  while (!waiting_.empty() && in_flight_.size() < in_flight_max_ && !connection_.is_writing()) {
    const Submission submission = waiting_.front();
    waiting_.pop_front();
    if (!publish(submission)) return lose_connection();
  }
}

/// False: the connection is broken.
bool MqttBroker::publish(const Submission& submission) {
  const Message& message = *submission.message;
  if (std::string fault = encoder_.encode(message, connection_.greeting().packet_bytes_max); !fault.empty()) {
    deliver(submission.ticket, Verdict::rejected, std::move(fault));
    return true;
  }
  int id = 0;
  switch (connection_.publish(encoder_.topic(), message.payload, encoder_.properties(), id)) {
    case MqttConnection::Handover::refused:
      deliver(submission.ticket, Verdict::rejected, about(message) + connection_.error().text);
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
    alive();
    const auto found = std::ranges::find(in_flight_, answer.id, &InFlight::id);  // mostly the first
    if (found == in_flight_.end()) continue;
    conclude(*found, answer);
    in_flight_.erase(found);
  }
  connection_.acknowledgements().clear();
}

void MqttBroker::conclude(const InFlight& message, const MqttAcknowledgement& answer) {
  if (answer.reason == mqtt_no_subscribers && !settings_.accepts_no_subscribers)
    return deliver(
        message.ticket, Verdict::rejected,
        about(*message.message) +
            "nobody has subscribed, so the server has dropped it (0x10); have the consumer subscribe "
            "with a session that lasts and requeue, or set no_subscribers = \"accepted\"");
  const Verdict verdict = mqtt_verdict(answer.reason);
  deliver(message.ticket, verdict,
          verdict == Verdict::accepted ? ""
                                       : about(*message.message) + describe_mqtt(answer.reason, answer.text));
}

void MqttBroker::lose_connection() {
  connection_.read_rest();
  take_acknowledgements();
  const int reason = connection_.end_reason();
  // The server's last word is about a message, and there is only one that it can be about.
  if (in_flight_.size() == 1 && mqtt_blames_message(reason)) {
    conclude(in_flight_.front(), {in_flight_.front().id, reason, {}});
    in_flight_.clear();
  }
  fail(Session::State::down, connection_.error().text);
}

void MqttBroker::end(const std::string& reason) {
  // A server that ends the session because it stops, or is busy, blames no message.
  const bool is_excused = mqtt_verdict(connection_.end_reason()) == Verdict::unavailable;
  for (const InFlight& message : in_flight_)
    give_up(message.ticket, true, reason, is_excused ? Verdict::unavailable : Verdict::in_doubt);
  in_flight_.clear();
  give_up_unsent(waiting_, reason);
  connection_.close();
}

BrokerAdapter mqtt_adapter() {
  return server_adapter<MqttBroker>(mqtt_server, mqtt_setting_specs(), parse_mqtt_settings, check_mqtt);
}

}  // namespace outbox
