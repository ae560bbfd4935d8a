// Reads Kafka topics by kcat: by other means than the adapter's. Stays in its test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

struct KafkaRecord {
  int partition = 0;
  std::optional<std::string> key;
  bool has_value = false;  ///< false: a tombstone
  Received message;
};

/// All that the topic holds, in the order of each partition. Precondition: no header holds a comma.
std::vector<KafkaRecord> read_kafka(int port, const std::string& topic);

}  // namespace outbox::test
