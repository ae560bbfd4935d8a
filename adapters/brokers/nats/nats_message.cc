#include "adapters/brokers/nats/nats_message.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "adapters/brokers/nats/nats_subject.h"
#include "base/encoding.h"

namespace outbox {
namespace {

constexpr std::string_view prefix = "ce-";
// Readers tell structured mode from binary mode by it.
constexpr std::string_view content_type_header = "content-type";
constexpr std::array reserved_names = {content_type_header};
// The server itself obeys headers that begin with Nats-: Nats-Rollup purges, Nats-Expected-* refuses.
constexpr std::array<std::string_view, 2> reserved_prefixes = {prefix, "nats-"};
bool is_status(const Header& header) {
  constexpr std::string_view name = "status";
  return std::ranges::equal(header.name, name, [](char a, char b) { return (a | 0x20) == b; });
}

constexpr HeaderRules rules{.reserved_names = reserved_names,
                            .reserved_prefixes = reserved_prefixes,
                            .ignores_case = true,
                            .is_token = true};

}  // namespace

std::string NatsMessageMaker::fault(const Message& message) {
  std::string fault = header_fault(message, rules);
  if (fault.empty() && message.payload.empty() && std::ranges::any_of(message.headers, is_status))
    fault =
        "header 'Status' beside an empty payload: consumers would take the message for one of the server's "
        "own";
  if (fault.empty()) fault = nats_topic_fault(message.topic);
  if (fault.empty() && message.payload.size() > INT_MAX / 2)
    fault = "the payload has " + std::to_string(message.payload.size()) + " bytes, more than NATS takes";
  return fault;
}

NatsMsg NatsMessageMaker::make(const Message& message, const std::string& reply) {
  topic_.assign(message.topic);
  natsMsg* made = nullptr;
  if (natsMsg_Create(&made, topic_.c_str(), reply.c_str(), message.payload.data(),
                     static_cast<int>(message.payload.size())) != NATS_OK)
    std::abort();  // out of memory
  set(made, "Nats-Msg-Id", deduplication_id(message, deduplication_id_));
  for (const Attribute& attribute : events_.beside_payload(message))
    set_encoded(made, attribute.name, attribute.value);
  if (const std::string_view type = content_type_of(message); !type.empty())
    set(made, is_structured(type) ? content_type_header : "ce-datacontenttype", type);
  for (const Header& header : message.headers) set(made, header.name, header.value);
  return NatsMsg(made);
}

void NatsMessageMaker::set_encoded(natsMsg* to, std::string_view name, std::string_view value) {
  value_.clear();
  append_percent_encoded(value_, value);
  name_.assign(prefix).append(name);
  if (natsMsgHeader_Set(to, name_.c_str(), value_.c_str()) != NATS_OK) std::abort();  // out of memory
}

void NatsMessageMaker::set(natsMsg* to, std::string_view name, std::string_view value) {
  name_.assign(name);
  value_.assign(value);
  if (natsMsgHeader_Set(to, name_.c_str(), value_.c_str()) != NATS_OK) std::abort();  // out of memory
}

}  // namespace outbox
