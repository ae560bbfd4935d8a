// A message as a Kafka record with CloudEvents headers. Belongs to one broker and its thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "adapters/common/cloud_event.h"

namespace outbox {

class RecordEncoder {
 public:
  RecordEncoder(std::string source, Attributes attributes) : events_(std::move(source), attributes) {}

  /// Why Kafka cannot carry it; empty: it can.
  static std::string fault(const Message& message);

  /// Hands the record over to librdkafka, which copies all of it. `opaque` comes back with the report.
  /// Precondition: no fault.
  rd_kafka_resp_err_t produce(rd_kafka_t* client, rd_kafka_topic_t* topic, const Message& message,
                              void* opaque);

 private:
  rd_kafka_headers_t* headers_of(const Message& message);

  CloudEvents events_;
};

}  // namespace outbox
