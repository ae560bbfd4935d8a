#include "adapters/brokers/mqtt/mqtt_check.h"

#include <poll.h>

#include <algorithm>

#include "adapters/brokers/mqtt/mqtt_connection.h"
#include "adapters/brokers/mqtt/mqtt_encoder.h"
#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "base/text.h"
#include "base/wakeup.h"

namespace outbox {
namespace {

using Level = Finding::Level;

/// Below this the way to the server, and not the server, decides how fast messages go.
constexpr std::size_t receive_max_low = 100;

bool reach(MqttConnection& connection, Duration limit) {
  const Instant end = std::chrono::steady_clock::now() + limit;
  connection.begin();
  for (;;) {
    const auto progress = connection.advance();
    if (progress != MqttConnection::Progress::waiting) return progress == MqttConnection::Progress::ready;
    const Duration left = end - std::chrono::steady_clock::now();
    if (left <= Duration::zero()) return false;
    pollfd socket{connection.descriptor(), connection.events(), 0};
    ::poll(&socket, 1, poll_milliseconds(left));
  }
}

Finding window_finding(const MqttGreeting& greeting) {
  const std::string count = std::to_string(greeting.receive_max);
  if (greeting.receive_max >= receive_max_low)
    return {Level::ok, "mqtt: the server takes " + count + " messages in flight (Receive Maximum)", ""};
  return {Level::warning,
          "mqtt: the server takes only " + count +
              " messages in flight (Receive Maximum), which limits the "
              "rate to so many for each round trip",
          "raise it; with mosquitto: max_inflight_messages 1000"};
}

Finding size_finding(const MqttGreeting& greeting) {
  if (greeting.packet_bytes_max == 0)
    return {Level::ok, "mqtt: the server names no limit for a packet's size; 256 MB is the protocol's", ""};
  return {Level::ok,
          "mqtt: the server takes packets of up to " + std::to_string(greeting.packet_bytes_max) +
              " bytes; larger messages become dead letters",
          ""};
}

void check_topics(std::span<const std::string> topics, std::vector<Finding>& findings) {
  for (const std::string& topic : topics)
    if (const std::string fault = mqtt_topic_fault(topic); !fault.empty())
      findings.push_back({Level::fault, "mqtt: '" + printable(topic, 60) + "' is no topic for MQTT: " + fault,
                          "change the topic, or take it out of the route"});
  if (!topics.empty())
    findings.push_back({Level::ok,
                        "mqtt: whether the user may publish to the route's topics cannot be asked; a right "
                        "that is missing shows when a message goes there",
                        ""});
}

}  // namespace

std::vector<Finding> check_mqtt(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit) {
  BrokerTarget probe = target;
  probe.probe = true;  // not the relay's client id, which would end the relay's session
  auto settings = parse_mqtt_settings(probe);
  if (!settings) return {{Level::fault, settings.error().text, "change the route"}};
  ignore_write_signals();
  MqttConnection connection(*settings);
  if (!reach(connection, std::min(limit, settings->connect_timeout)))
    return {
        {Level::fault, "mqtt: " + connection.error().text, "see that the server runs and takes the login"}};

  std::vector<Finding> findings;
  findings.push_back({Level::ok, "mqtt: " + connection.endpoint() + " takes the session with MQTT 5", ""});
  findings.push_back(window_finding(connection.greeting()));
  findings.push_back(size_finding(connection.greeting()));
  check_topics(topics, findings);
  if (settings->accepts_no_subscribers)
    findings.push_back({Level::warning,
                        "mqtt: no_subscribers = \"accepted\": a message that nobody has subscribed to is "
                        "dropped by the server and counts as sent",
                        "set no_subscribers = \"rejected\" unless that may be"});
  findings.push_back(
      {Level::warning,
       "mqtt: an acknowledgement says that the server has the message for those who have subscribed; how it "
       "is stored, and how many may wait for a consumer, cannot be asked",
       "with mosquitto: persistence true, autosave_on_changes true, autosave_interval 1, max_queued_messages "
       "1000000; consumers subscribe with QoS 1 and a session that lasts"});
  return findings;
}

}  // namespace outbox
