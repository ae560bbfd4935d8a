#include "adapters/brokers/amqp/publish_encoder.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/brokers/amqp/amqp_settings.h"
#include "base/text.h"

namespace outbox {
namespace {

constexpr std::string_view key_header = "message_key";

// CC and BCC are addresses to RabbitMQ: it would route copies by them
// (https://www.rabbitmq.com/docs/sender-selected).
constexpr std::array<std::string_view, 3> reserved_names = {key_header, "CC", "BCC"};
constexpr std::array<std::string_view, 2> amqp_prefixes = {"cloudEvents_", "cloudEvents:"};
constexpr std::array<std::string_view, 4> short_prefixes = {"ce-", "Ce-", "cE-", "CE-"};  // read in any case

constexpr std::size_t table_entry_overhead = 6;  // two lengths and a kind
constexpr std::size_t publish_size_max = 4 + 2 + 2 * (1 + short_string_max) + 1;
// Class, weight, body size, flags; table size, delivery mode, id, time; content type and type.
constexpr std::size_t properties_size_max = 14 + 4 + 1 + 37 + 8 + 2 * (1 + short_string_max);

constexpr std::uint8_t persistent = 2;
constexpr std::uint8_t mandatory = 1;  // the first of the bits: mandatory, immediate

std::size_t body_frames(std::size_t payload_size, std::size_t frame_max) {
  const std::size_t piece = frame_max - frame_overhead;
  return (payload_size + piece - 1) / piece;
}

}  // namespace

PublishEncoder::PublishEncoder(std::string source, Attributes attributes, std::string exchange,
                               std::string_view attribute_prefix)
    : events_(std::move(source), attributes),
      exchange_(std::move(exchange)),
      rules_{.reserved_names = reserved_names, .reserved_prefixes = amqp_prefixes},
      prefix_size_(attribute_prefix.size()) {
  if (attribute_prefix == short_prefixes.front()) rules_.reserved_prefixes = short_prefixes;
  for (const char* name : {"id", "source", "specversion", "type", "time", "subject", "partitionkey"})
    attribute_names_.push_back(std::string(attribute_prefix) + name);
}

std::string_view PublishEncoder::amqp_name_of(std::string_view attribute) const {
  return *std::ranges::find_if(attribute_names_,
                               [&](std::string_view name) { return name.substr(prefix_size_) == attribute; });
}

std::string PublishEncoder::append(OutputBuffer& to, const Message& message) {
  if (std::string fault = fault_of(message); !fault.empty()) return fault;
  const std::size_t header_size_max = properties_size_max + collect_headers(message);
  if (header_size_max + frame_overhead > frame_max_)
    return "attributes and headers take " + std::to_string(header_size_max) + " bytes, more than the " +
           std::to_string(frame_max_) + " of one frame (RabbitMQ's frame_max)";

  const std::size_t body_size =
      message.payload.size() + body_frames(message.payload.size(), frame_max_) * frame_overhead;
  FrameWriter writer(to.reserve(publish_size_max + header_size_max + 2 * frame_overhead + body_size));
  write_publish(writer, message);
  if (const int error = write_properties(writer, message, header_size_max); error < 0)
    return std::string("attributes and headers cannot be encoded: ") + amqp_error_string2(error);
  write_body(writer, message.payload);
  to.commit(writer.size());
  return {};
}

std::string PublishEncoder::fault_of(const Message& message) const {
  const auto too_long = [](std::string_view what, std::size_t size) {
    return std::string(what) + " takes " + std::to_string(size) + " bytes, AMQP takes at most 255 there";
  };
  if (std::string fault = header_fault(message, rules_); !fault.empty()) return fault;
  if (message.topic.size() > short_string_max) return too_long("the topic", message.topic.size());
  if (message.topic.empty() && exchange_.empty()) return "the topic is empty, and no queue has an empty name";
  if (const std::size_t size = content_type_of(message).size(); size > short_string_max)
    return too_long("the content type", size);
  for (const Header& header : message.headers)
    if (header.name.size() > short_string_max)
      return too_long("the name of header '" + printable(header.name, 60) + "'", header.name.size());
  if (message.payload.size() > amqp_message_bytes_max)
    return "the payload takes " + std::to_string(message.payload.size()) +
           " bytes, more than the 512 MiB that RabbitMQ can take";
  return {};
}

/// How many bytes they take at most.
std::size_t PublishEncoder::collect_headers(const Message& message) {
  headers_.clear();
  type_ = {};
  for (const Attribute& attribute : events_.beside_payload(message)) {
    add_header(amqp_name_of(attribute.name), attribute.value);
    if (attribute.name == "type") type_ = attribute.value;
  }
  if (message.key && !events_.is_minimal()) add_header(key_header, *message.key);
  for (const Header& header : message.headers) add_header(header.name, header.value);
  std::size_t size = 0;
  for (const amqp_table_entry_t& header : headers_)
    size += table_entry_overhead + header.key.len + header.value.value.bytes.len;
  return size;
}

void PublishEncoder::add_header(std::string_view name, std::string_view value) {
  amqp_table_entry_t& header = headers_.emplace_back();
  header.key = amqp_bytes_of(name);
  header.value.kind = AMQP_FIELD_KIND_UTF8;
  header.value.value.bytes = amqp_bytes_of(value);
}

void PublishEncoder::write_publish(FrameWriter& writer, const Message& message) const {
  writer.begin(AMQP_FRAME_METHOD, publish_channel);
  writer.number(std::uint32_t{AMQP_BASIC_PUBLISH_METHOD});
  writer.number(std::uint16_t{0});  // of no meaning any more
  writer.short_string(exchange_);
  writer.short_string(message.topic);
  writer.number(mandatory);
  writer.end();
}

/// Negative: librabbitmq's error.
int PublishEncoder::write_properties(FrameWriter& writer, const Message& message, std::size_t size_max) {
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.headers = {static_cast<int>(headers_.size()), headers_.data()};
  properties.delivery_mode = persistent;
  properties.message_id = amqp_bytes_of(message.id_text());
  if (const std::string_view content_type = content_type_of(message); !content_type.empty()) {
    properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.content_type = amqp_bytes_of(content_type);
  }
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(message.created_at).time_since_epoch().count();
  if (!events_.is_minimal() && seconds >= 0) {
    properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    properties.timestamp = static_cast<std::uint64_t>(seconds);
  }
  // A longer one is in its header alone.
  if (!type_.empty() && type_.size() <= short_string_max) {
    properties._flags |= AMQP_BASIC_TYPE_FLAG;
    properties.type = amqp_bytes_of(type_);
  }

  writer.begin(AMQP_FRAME_HEADER, publish_channel);
  writer.number(std::uint16_t{AMQP_BASIC_CLASS});
  writer.number(std::uint16_t{0});  // weight: of no meaning any more
  writer.number(std::uint64_t{message.payload.size()});
  const int size = amqp_encode_properties(AMQP_BASIC_CLASS, &properties, {size_max, writer.here()});
  if (size < 0) return size;
  writer.skip(static_cast<std::size_t>(size));
  writer.end();
  return 0;
}

void PublishEncoder::write_body(FrameWriter& writer, std::string_view payload) const {
  while (!payload.empty()) {
    const std::string_view piece = payload.substr(0, frame_max_ - frame_overhead);
    writer.begin(AMQP_FRAME_BODY, publish_channel);
    writer.raw(piece);
    writer.end();
    payload.remove_prefix(piece.size());
  }
}

}  // namespace outbox
