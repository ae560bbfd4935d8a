// Brokers that librdkafka plays inside this process, to be told which errors to answer with. They check no
// sequence numbers and store nothing of a request that they turn away: what counts is what is read back.
// Owned by the test's thread.
#pragma once

#include <string>
#include <vector>

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace outbox::test {

class KafkaMock {
 public:
  explicit KafkaMock(int brokers = 1);
  KafkaMock(const KafkaMock&) = delete;
  KafkaMock& operator=(const KafkaMock&) = delete;
  ~KafkaMock();

  /// "127.0.0.1:port,127.0.0.1:port".
  [[nodiscard]] std::string servers() const;
  /// The first broker's.
  [[nodiscard]] int port() const;

  void create_topic(const std::string& name, int partitions = 1);
  void set_leader(const std::string& topic, int partition, int broker);
  /// Broker 1 and so on: cut off, and back.
  void set_down(int broker, bool is_down);
  /// Milliseconds until each of its answers.
  void delay(int broker, int milliseconds);

  /// The errors of the next requests of this kind, one after the other, in the place of those left.
  void answer_produce(const std::vector<int>& errors) { answer(0, errors); }
  void answer_init_producer_id(const std::vector<int>& errors) { answer(22, errors); }

 private:
  void answer(int request, const std::vector<int>& errors);

  rd_kafka_s* host_ = nullptr;
  rd_kafka_mock_cluster_s* cluster_ = nullptr;
};

}  // namespace outbox::test
