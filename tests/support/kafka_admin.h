// Creates and empties topics and grants rights on a Kafka server, by librdkafka's admin requests. Owned by
// the test's thread.
#pragma once

#include <map>
#include <string>

struct rd_kafka_s;

namespace outbox::test {

class KafkaAdmin {
 public:
  /// Connects without a login. What the server refuses is thrown, by every function.
  explicit KafkaAdmin(int port);
  KafkaAdmin(const KafkaAdmin&) = delete;
  KafkaAdmin& operator=(const KafkaAdmin&) = delete;
  ~KafkaAdmin();

  /// Whether the server answers; waits for it a second at most.
  [[nodiscard]] bool is_answered();

  /// Ready for messages when it returns.
  void create_topic(const std::string& name, int partitions = 1,
                    const std::map<std::string, std::string>& configuration = {});
  void delete_topic(const std::string& name);
  /// All that its partitions hold is gone.
  void empty_topic(const std::string& name, int partitions = 1);

  /// Describe, and Write if so, on every topic whose name begins so.
  void grant(const std::string& user, const std::string& topic_prefix, bool may_write);

 private:
  void connect();
  std::string try_to_empty(const std::string& name, int partitions);

  const int port_;
  rd_kafka_s* client_ = nullptr;
};

}  // namespace outbox::test
