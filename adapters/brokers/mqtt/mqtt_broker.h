// Broker that publishes messages to an MQTT 5 server with QoS 1, pipelined over one session. Belongs to one
// publishing thread, wake() to any.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "adapters/brokers/mqtt/mqtt_connection.h"
#include "adapters/brokers/mqtt/mqtt_encoder.h"
#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class MqttBroker final : public Broker {
 public:
  MqttBroker(MqttSettings settings, const BrokerTarget& target);

  void connect() override;
  /// Writes to the socket at once as much as that and the server's window take.
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  enum class Phase { closed, connecting, up };

  /// A message that the library has, until its acknowledgement. All but the last have left the process.
  struct InFlight {
    Ticket ticket;
    const Message* message;
    int id;
  };

  bool step(Duration wait);
  void advance_connecting();
  void exchange(short ready);
  void publish_waiting();
  bool publish(const Submission& submission);
  void take_acknowledgements();
  void deliver(const InFlight& message, const MqttAcknowledgement& answer);
  void lose_connection();
  void check_deadline();
  [[nodiscard]] std::optional<Instant> deadline() const;
  void end_session(Session::State state, std::string what);

  const MqttSettings settings_;
  MqttEncoder encoder_;
  MqttConnection connection_;
  Wakeup wakeup_;
  Phase phase_ = Phase::closed;
  std::size_t window_ = 1;  ///< messages that the library may have
  Instant progress_{};      ///< connecting began, or the last answer came
  Instant kept_alive_{};
  std::deque<Submission> waiting_;  ///< submitted, not yet handed to the library
  std::deque<InFlight> in_flight_;
  Answers pending_;  ///< for the next poll()
};

}  // namespace outbox
