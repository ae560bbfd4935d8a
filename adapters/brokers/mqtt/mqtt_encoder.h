// A message as MQTT 5 has it: topic, properties, size; and what the protocol cannot carry. Belongs to one
// broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/common/cloud_event.h"

struct mqtt5__property;

namespace outbox {

/// The most that a packet holds, its header of up to five bytes not counted.
inline constexpr std::size_t mqtt_packet_bytes_max = 268435455;

struct FreeMqttProperties {
  void operator()(mqtt5__property* properties) const;
};
using MqttProperties = std::unique_ptr<mqtt5__property, FreeMqttProperties>;

/// Why it cannot be a topic that messages are published to; empty: it can.
std::string mqtt_topic_fault(std::string_view topic);

class MqttEncoder {
 public:
  MqttEncoder(std::string source, Attributes attributes) : events_(std::move(source), attributes) {}

  /// Takes the message apart. Why it cannot be carried, also when its packet is larger than
  /// `packet_bytes_max` (0: no limit but the protocol's); empty: topic() and properties() are its.
  std::string encode(const Message& message, std::uint32_t packet_bytes_max);

  [[nodiscard]] const char* topic() const { return topic_.c_str(); }
  [[nodiscard]] const mqtt5__property* properties() const { return properties_.get(); }

 private:
  bool add(std::string_view name, std::string_view value);

  CloudEvents events_;
  std::string topic_, name_, value_;  ///< the library wants them to end in NUL
  MqttProperties properties_;
};

}  // namespace outbox
