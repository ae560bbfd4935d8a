#include "adapters/brokers/mqtt/mqtt_encoder.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::size_t text_bytes_max = 65535;
constexpr std::string_view too_long = "has more than 65535 bytes";
constexpr std::array<std::string_view, 8> reserved_names = {
    "id", "source", "specversion", "type", "time", "subject", "partitionkey", "datacontenttype"};
constexpr HeaderRules rules{.reserved_names = reserved_names, .is_utf8 = true};

/// What MQTT says of every string; empty: nothing. What is no plain text a server may take as a malformed
/// packet, and then it ends the session (MQTT 5, 1.5.4).
std::string_view text_fault(std::string_view text) {
  if (text.size() > text_bytes_max) return too_long;
  if (!is_utf8(text)) return "is not UTF-8";
  if (!is_plain_text(text)) return "has a control character, which MQTT servers refuse";
  return {};
}

std::string fault_of(const Message& message, std::span<const Attribute> attributes) {
  if (std::string fault = header_fault(message, rules); !fault.empty()) return fault;
  if (std::string fault = mqtt_topic_fault(message.topic); !fault.empty()) return fault;
  for (const Attribute& attribute : attributes)
    if (attribute.value.size() > text_bytes_max)
      return "attribute '" + std::string(attribute.name) + "' " + std::string(too_long);
  if (content_type_of(message).size() > text_bytes_max) return "content_type " + std::string(too_long);
  for (const Header& header : message.headers) {
    if (const auto fault = text_fault(header.name); !fault.empty())
      return "the name of header '" + printable(header.name, 60) + "' " + std::string(fault);
    if (const auto fault = text_fault(header.value); !fault.empty())
      return "the value of header '" + printable(header.name, 60) + "' " + std::string(fault);
  }
  return {};
}

std::size_t varint_size(std::size_t value) {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

/// All of a PUBLISH packet behind its header.
std::size_t packet_body_size(const Message& message, std::span<const Attribute> attributes) {
  constexpr std::size_t pair = 5;
  const std::size_t content_type_size = content_type_of(message).size();
  std::size_t properties = content_type_size == 0 ? 0 : 3 + content_type_size;
  for (const Attribute& attribute : attributes)
    properties += pair + attribute.name.size() + attribute.value.size();
  for (const Header& header : message.headers) properties += pair + header.name.size() + header.value.size();
  return 2 + message.topic.size() + 2 + varint_size(properties) + properties + message.payload.size();
}

}  // namespace

void FreeMqttProperties::operator()(mqtt5__property* properties) const {
  mosquitto_property_free_all(&properties);
}

std::string mqtt_topic_fault(std::string_view topic) {
  if (topic.empty()) return "the topic is empty";
  if (topic.find_first_of("+#") != topic.npos)
    return "the topic has '+' or '#', which MQTT keeps for subscriptions";
  if (topic.starts_with('$')) return "the topic begins with '$', which servers keep for themselves";
  if (const auto fault = text_fault(topic); !fault.empty()) return "the topic " + std::string(fault);
  return {};
}

std::string MqttEncoder::encode(const Message& message, std::uint32_t packet_bytes_max) {
  const auto attributes = events_.beside_payload(message);
  if (std::string fault = fault_of(message, attributes); !fault.empty()) return fault;
  const std::size_t body = packet_body_size(message, attributes);
  if (body > mqtt_packet_bytes_max)
    return "the message takes " + std::to_string(body) + " bytes, more than the 256 MB that MQTT takes";
  if (const std::size_t size = 1 + varint_size(body) + body; packet_bytes_max != 0 && size > packet_bytes_max)
    return "the message takes " + std::to_string(size) + " bytes, more than the " +
           std::to_string(packet_bytes_max) + " that the server takes in one packet";

  topic_ = message.topic;
  properties_.reset();
  bool is_done = true;
  value_ = content_type_of(message);
  if (!value_.empty()) {
    mqtt5__property* list = nullptr;
    is_done =
        mosquitto_property_add_string(&list, MQTT_PROP_CONTENT_TYPE, value_.c_str()) == MOSQ_ERR_SUCCESS;
    properties_.reset(list);
  }
  for (const Attribute& attribute : attributes) is_done = is_done && add(attribute.name, attribute.value);
  for (const Header& header : message.headers) is_done = is_done && add(header.name, header.value);
  return is_done ? "" : "libmosquitto refuses the message's properties";
}

bool MqttEncoder::add(std::string_view name, std::string_view value) {
  name_ = name;
  value_ = value;
  mqtt5__property* list = properties_.release();
  const int result =
      mosquitto_property_add_string_pair(&list, MQTT_PROP_USER_PROPERTY, name_.c_str(), value_.c_str());
  properties_.reset(list);
  return result == MOSQ_ERR_SUCCESS;
}

}  // namespace outbox
