#include <algorithm>

#include "adapters/brokers/mqtt/mqtt_broker.h"
#include "adapters/common/server_check.h"
#include "base/text.h"

namespace outbox {
namespace {

/// Below this the way to the server, and not the server, decides how fast messages go.
constexpr std::size_t receive_max_low = 100;

void check_window(const MqttGreeting& greeting, Findings& findings) {
  const std::string count = std::to_string(greeting.receive_max);
  if (greeting.receive_max >= receive_max_low)
    return findings.ok("the server takes " + count + " messages in flight (Receive Maximum)");
  findings.warning("the server takes only " + count +
                       " messages in flight (Receive Maximum), which limits the rate to so many for each "
                       "round trip",
                   "raise it; with mosquitto: max_inflight_messages 1000");
}

void check_size(const MqttGreeting& greeting, Findings& findings) {
  if (greeting.packet_bytes_max == 0)
    return findings.ok("the server names no limit for a packet's size; 256 MB is the protocol's");
  findings.ok("the server takes packets of up to " + std::to_string(greeting.packet_bytes_max) +
              " bytes; larger messages become dead letters");
}

void check_topics(std::span<const std::string> topics, Findings& findings) {
  for (const std::string& topic : topics)
    if (const std::string fault = mqtt_topic_fault(topic); !fault.empty())
      findings.fault("'" + printable(topic, 60) + "' is no topic for MQTT: " + fault,
                     "change the topic, or take it out of the route");
  if (!topics.empty())
    findings.ok(
        "whether the user may publish to the route's topics cannot be asked; a right that is missing shows "
        "when a message goes there");
}

}  // namespace

/// As a probe it has not the relay's client id, which would end the relay's session.
std::vector<Finding> check_mqtt(const MqttSettings& settings, const BrokerTarget&,
                                std::span<const std::string> topics, Duration limit) {
  Findings findings("mqtt: ");
  MqttConnection connection(settings);
  if (const auto reached = reach(connection, now() + std::min(limit, settings.connect_timeout)); !reached) {
    findings.fault(reached.error().text, "see that the server runs and takes the login");
    return findings.take();
  }
  findings.ok(connection.endpoint() + " takes the session with MQTT 5");
  check_window(connection.greeting(), findings);
  check_size(connection.greeting(), findings);
  check_topics(topics, findings);
  if (settings.accepts_no_subscribers)
    findings.warning(
        "no_subscribers = \"accepted\": a message that nobody has subscribed to is dropped by the server and "
        "counts as sent",
        "set no_subscribers = \"rejected\" unless that may be");
  findings.warning(
      "an acknowledgement says that the server has the message for those who have subscribed; how it is "
      "stored, and how many may wait for a consumer, cannot be asked",
      "with mosquitto: persistence true, autosave_on_changes true, autosave_interval 1, max_queued_messages "
      "1000000; consumers subscribe with QoS 1 and a session that lasts");
  return findings.take();
}

}  // namespace outbox
