#include "adapters/brokers/redis/xadd_encoder.h"

#include <array>
#include <span>
#include <string_view>

#include "adapters/brokers/redis/resp.h"

namespace outbox {
namespace {

constexpr std::string_view prefix = "ce_";
constexpr std::string_view content_type_field = "content-type";
constexpr std::string_view data_field = "data";
constexpr std::array reserved_names = {content_type_field, data_field};
constexpr std::array reserved_prefixes = {prefix};
constexpr HeaderRules rules{.reserved_names = reserved_names, .reserved_prefixes = reserved_prefixes};

std::size_t size_max(const Message& message, std::span<const Attribute> attributes) {
  constexpr std::size_t pair = 2 * resp_overhead;
  std::size_t size =
      8 * resp_overhead + message.topic.size() + message.content_type.size() + message.payload.size();
  for (const Attribute& attribute : attributes)
    size += pair + prefix.size() + attribute.name.size() + attribute.value.size();
  for (const Header& header : message.headers) size += pair + header.name.size() + header.value.size();
  return size;
}

}  // namespace

XaddEncoder::XaddEncoder(std::string source, Attributes attributes, std::int64_t length_max,
                         bool create_streams)
    : events_(std::move(source), attributes), words_(3) {
  std::array<char, 256> memory{};
  RespWriter writer(memory.data());
  if (!create_streams) {
    writer.bulk("NOMKSTREAM");
    ++words_;
  }
  if (length_max > 0) {
    writer.bulk("MAXLEN");
    writer.bulk("~");
    writer.bulk(std::to_string(length_max));
    words_ += 3;
  }
  writer.bulk("*");
  options_.assign(memory.data(), writer.size());
}

std::string XaddEncoder::append(OutputBuffer& to, const Message& message) {
  if (std::string fault = header_fault(message, rules); !fault.empty()) return fault;
  const auto attributes = events_.of(message);
  const std::size_t size = size_max(message, attributes) + options_.size();
  if (size > redis_message_bytes_max)
    return "the message takes " + std::to_string(size) + " bytes, more than the 512 MB that Redis takes";

  const std::string_view content_type = content_type_of(message);
  RespWriter writer(to.reserve(size));
  writer.array(words_ +
               2 * (attributes.size() + (content_type.empty() ? 0 : 1) + message.headers.size() + 1));
  writer.raw("$4\r\nXADD\r\n");
  writer.bulk(message.topic);
  writer.raw(options_);
  for (const Attribute& attribute : attributes) {
    writer.bulk(prefix, attribute.name);
    writer.bulk(attribute.value);
  }
  if (!content_type.empty()) {
    writer.bulk(content_type_field);
    writer.bulk(content_type);
  }
  for (const Header& header : message.headers) {
    writer.bulk(header.name);
    writer.bulk(header.value);
  }
  writer.bulk(data_field);
  writer.bulk(message.payload);
  to.commit(writer.size());
  return {};
}

}  // namespace outbox
