// One topic of a session: what is in flight to it, and which of its partitions know the producer. Belongs to
// one broker and its thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"

namespace outbox {

class KafkaTopic {
 public:
  /// Must outlive the client's threads, see KafkaClient::keep(), which tell it the number of partitions.
  KafkaTopic(rd_kafka_t* client, std::string name);
  KafkaTopic(const KafkaTopic&) = delete;
  KafkaTopic& operator=(const KafkaTopic&) = delete;
  ~KafkaTopic() { release(); }

  [[nodiscard]] rd_kafka_topic_t* handle() const { return handle_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// To be called before the client's end.
  void release();

  /// The broker that leads the key's partition has taken messages of this producer not long ago, and so takes
  /// the next one in sequence alone. A partition that has never seen the producer takes any: when the first
  /// batch is turned away, it accepts the second.
  /// https://github.com/apache/kafka/blob/3.9/storage/src/main/java/org/apache/kafka/storage/internals/log/ProducerAppendInfo.java
  [[nodiscard]] bool knows_producer(std::string_view key, Instant now) const;
  [[nodiscard]] bool knows_producer(std::int32_t partition, Instant now) const;

  void submitted() { in_company_ = in_flight_++ > 0; }
  void answered() { --in_flight_; }
  void accepted(std::int32_t partition, Instant now);
  /// Of those in flight none has been alone all the time.
  [[nodiscard]] bool is_in_company() const { return in_company_; }

 private:
  static std::int32_t choose_partition(const rd_kafka_topic_t* handle, const void* key, std::size_t key_size,
                                       std::int32_t count, void* topic, void*);

  const std::string name_;
  rd_kafka_topic_t* handle_;
  std::atomic<std::int32_t> partitions_ = 0;  ///< 0: not known yet
  std::vector<Instant> accepted_at_;          ///< by partition
  std::size_t in_flight_ = 0;
  bool in_company_ = false;
};

}  // namespace outbox
