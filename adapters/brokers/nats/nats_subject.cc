#include "adapters/brokers/nats/nats_subject.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace outbox {
namespace {

// A message to $JS.API would be an order to the server: $JS.API.STREAM.DELETE.orders.
constexpr std::array reserved = {std::string_view("$JS"), std::string_view("$SYS"),
                                 std::string_view("_INBOX")};

bool is_illegal(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '\x7F';
}

std::string_view token_fault(std::string_view token) {
  if (token.empty()) return "has an empty part between its dots";
  if (token == "*" || token == ">") return "has a wildcard";
  if (std::ranges::any_of(token, is_illegal)) return "has a blank or control character";
  return {};
}

}  // namespace

std::string nats_subject_fault(std::string_view subject) {
  const auto illegal = [subject](std::string_view why) {
    return "'" + printable(subject, 60) + "' is no NATS subject: it " + std::string(why);
  };
  if (subject.empty()) return illegal("is empty");
  if (subject.size() > nats_subject_bytes_max)
    return illegal("has more than " + std::to_string(nats_subject_bytes_max) + " bytes");
  if (!is_utf8(subject)) return illegal("is not UTF-8");
  for (std::size_t begin = 0; begin <= subject.size();) {
    const std::size_t end = std::min(subject.find('.', begin), subject.size());
    if (const auto fault = token_fault(subject.substr(begin, end - begin)); !fault.empty())
      return illegal(fault);
    begin = end + 1;
  }
  return {};
}

std::string nats_topic_fault(std::string_view topic) {
  std::string fault = nats_subject_fault(topic);
  if (fault.empty() && std::ranges::find(reserved, topic.substr(0, topic.find('.'))) != reserved.end())
    fault = "'" + printable(topic, 60) + "' is a subject of the server's own";
  return fault;
}

}  // namespace outbox
