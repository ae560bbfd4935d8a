#include "adapters/brokers/kafka/kafka_topic.h"

#include <chrono>
#include <utility>

namespace outbox {
namespace {

/// Brokers forget a producer that has been silent for a day (producer.id.expiration.ms).
constexpr Duration known_for = std::chrono::hours(1);

}  // namespace

KafkaTopic::KafkaTopic(rd_kafka_t* client, std::string name) : name_(std::move(name)) {
  rd_kafka_topic_conf_t* const configuration = rd_kafka_default_topic_conf_dup(client);
  rd_kafka_topic_conf_set_partitioner_cb(configuration, choose_partition);
  rd_kafka_topic_conf_set_opaque(configuration, this);
  handle_ = rd_kafka_topic_new(client, name_.c_str(), configuration);
}

void KafkaTopic::release() {
  if (handle_) rd_kafka_topic_destroy(std::exchange(handle_, nullptr));
}

/// In whichever thread librdkafka likes.
std::int32_t KafkaTopic::choose_partition(const rd_kafka_topic_t* handle, const void* key,
                                          std::size_t key_size, std::int32_t count, void* topic, void*) {
  static_cast<KafkaTopic*>(topic)->partitions_.store(count, std::memory_order_relaxed);
  return rd_kafka_msg_partitioner_murmur2_random(handle, key, key_size, count, nullptr, nullptr);
}

bool KafkaTopic::knows_producer(std::string_view key, Instant now) const {
  const std::int32_t count = partitions_.load(std::memory_order_relaxed);
  if (count == 0) return false;
  const std::int32_t partition = rd_kafka_msg_partitioner_murmur2_random(
      handle_, key.data() ? key.data() : "", key.size(), count, nullptr, nullptr);
  return knows_producer(partition, now);
}

bool KafkaTopic::knows_producer(std::int32_t partition, Instant now) const {
  const auto index = static_cast<std::size_t>(partition);
  return index < accepted_at_.size() && now - accepted_at_[index] < known_for;
}

void KafkaTopic::accepted(std::int32_t partition, Instant now) {
  const auto index = static_cast<std::size_t>(partition);
  if (index >= accepted_at_.size()) accepted_at_.resize(index + 1, now - known_for);
  accepted_at_[index] = now;
}

}  // namespace outbox
