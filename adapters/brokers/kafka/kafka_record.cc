#include "adapters/brokers/kafka/kafka_record.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::string_view prefix = "ce_";
constexpr std::string_view content_type_header = "content-type";
constexpr std::array reserved_names = {content_type_header};
constexpr std::array reserved_prefixes = {prefix};
// Readers take them in any case: the SDKs of Python and Go would take 'CE_ID' for the id.
constexpr HeaderRules rules{
    .reserved_names = reserved_names, .reserved_prefixes = reserved_prefixes, .ignores_case = true};
constexpr std::size_t topic_length_max = 249;

/// https://kafka.apache.org/documentation/#topicconfigs: the broker's own rule, which it would answer a whole
/// batch with.
bool is_topic_name(std::string_view name) {
  const auto is_allowed = [](char c) { return is_alphanumeric(c, "._-"); };
  return !name.empty() && name.size() <= topic_length_max && name != "." && name != ".." &&
         std::ranges::all_of(name, is_allowed);
}

void add(rd_kafka_headers_t* headers, std::string_view name, std::string_view value) {
  // A null pointer would be a header without a value.
  rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                      value.data() ? value.data() : "", static_cast<ssize_t>(value.size()));
}

}  // namespace

std::string RecordEncoder::fault(const Message& message) {
  if (!is_topic_name(message.topic))
    return "'" + printable(message.topic, 60) +
           "' is no name of a Kafka topic: 1 to 249 letters, digits, '.', '_' and '-'";
  return header_fault(message, rules);
}

rd_kafka_headers_t* RecordEncoder::headers_of(const Message& message) {
  const auto attributes = events_.beside_payload(message);
  rd_kafka_headers_t* const headers = rd_kafka_headers_new(attributes.size() + 1 + message.headers.size());
  std::array<char, 32> name{};
  std::ranges::copy(prefix, name.begin());
  for (const Attribute& attribute : attributes) {
    std::ranges::copy(attribute.name, name.begin() + prefix.size());
    add(headers, {name.data(), prefix.size() + attribute.name.size()}, attribute.value);
  }
  if (const std::string_view content_type = content_type_of(message); !content_type.empty())
    add(headers, content_type_header, content_type);
  for (const Header& header : message.headers) add(headers, header.name, header.value);
  return headers;
}

rd_kafka_resp_err_t RecordEncoder::produce(rd_kafka_t* client, rd_kafka_topic_t* topic,
                                           const Message& message, void* opaque) {
  // Null is no key, and no value is a tombstone: what is empty must not become null.
  const auto memory = [](std::string_view text) { return const_cast<char*>(text.data() ? text.data() : ""); };
  char* const key = message.key ? memory(*message.key) : nullptr;
  const std::size_t key_size = message.key ? message.key->size() : 0;
  char* const value = message.is_tombstone ? nullptr : memory(message.payload);
  rd_kafka_headers_t* const headers = headers_of(message);
  const rd_kafka_resp_err_t error =
      rd_kafka_producev(client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                        RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, message.payload.size()),
                        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_headers_destroy(headers);
  return error;
}

}  // namespace outbox
