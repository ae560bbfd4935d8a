// What the tests of the nats adapter share: the topics that are subjects, and a stream that takes them. Stays
// in its test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/nats_reader.h"

namespace outbox::test {

/// Written out once more, beside the adapter's own rules.
inline bool is_nats_subject(std::string_view text) {
  if (text.empty() || text.size() > 3500 || text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != text.npos || text == "*" || text == ">") return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7F') return false;
  return true;
}

/// "ORDERS", for all topics that the suites publish to and that NATS has as subjects.
inline void create_orders(NatsReader& reader, const NatsReader::Json& more = NatsReader::Json::object()) {
  const std::vector<std::string> subjects = {"order.>",
                                             "a",
                                             "b",
                                             "Bestellung/größe",
                                             "größe",
                                             "注文.確定",
                                             "quote\"back\\slash",
                                             "$5",
                                             "a/#",
                                             std::string(300, 'k')};
  reader.create_stream("ORDERS", subjects, more);
}

/// RFC 9110's token; what the suites try.
inline bool is_header_name(std::string_view text) {
  return text.find_first_of(" \t\r\n\"\\/()<>@,;:[]?={}") == text.npos &&
         text.find_first_not_of(
             "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == text.npos;
}

}  // namespace outbox::test
