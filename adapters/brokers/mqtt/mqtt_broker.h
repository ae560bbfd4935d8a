// Broker that publishes messages to an MQTT 5 server with QoS 1, pipelined over one session. Belongs to one
// publishing thread, wake() to any.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "adapters/brokers/mqtt/mqtt_connection.h"
#include "adapters/brokers/mqtt/mqtt_encoder.h"
#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "adapters/common/server_broker.h"

namespace outbox {

class MqttBroker final : public ServerBroker {
 public:
  MqttBroker(MqttSettings settings, const BrokerTarget& target);

 private:
  /// A message that the library has, until its acknowledgement. All but the last have left the process.
  struct InFlight {
    Ticket ticket;
    const Message* message;
    int id;
  };

  void begin() override { connection_.begin(); }
  void take(std::span<const Submission> messages) override;
  void advance() override;
  void step(Duration wait) override;
  [[nodiscard]] Instant tick_at() const override;
  void tick() override;
  [[nodiscard]] bool awaits_answers() const override { return !in_flight_.empty() || !waiting_.empty(); }
  void end(const std::string& reason) override;
  [[nodiscard]] std::string endpoint() const override { return connection_.endpoint(); }

  void publish_waiting();
  bool publish(const Submission& submission);
  void take_acknowledgements();
  void conclude(const InFlight& message, const MqttAcknowledgement& answer);
  void lose_connection();

  const MqttSettings settings_;
  MqttEncoder encoder_;
  MqttConnection connection_;
  std::size_t in_flight_max_ = 1;  ///< messages that the library may have
  Instant kept_alive_{};
  std::deque<Submission> waiting_;  ///< submitted, not yet handed to the library
  std::deque<InFlight> in_flight_;
};

/// As server_adapter() has it.
std::vector<Finding> check_mqtt(const MqttSettings& settings, const BrokerTarget& target,
                                std::span<const std::string> topics, Duration limit);

}  // namespace outbox
