// A librdkafka producer and the queue of its events. Belongs to one broker and its thread; the library's own
// threads reach that thread through the queue alone.
#pragma once

#include <librdkafka/rdkafka.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "adapters/brokers/kafka/kafka_settings.h"
#include "base/result.h"

namespace outbox {

class KafkaClient {
 public:
  /// Starts connecting; the outcome comes as events. `descriptor` (an eventfd) is written to when there are
  /// events. Reads the certificate files each time, so that renewed ones are taken. Errors: misconfigured.
  static Result<std::unique_ptr<KafkaClient>> start(const KafkaSettings& settings, int descriptor);
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;
  /// Closes all connections; what is in flight is given up without a report. librdkafka's threads may live a
  /// little longer, when one of them waits for a name to be looked up.
  ~KafkaClient();

  /// What those threads use lives until they have ended.
  void keep(std::shared_ptr<void> used) { used_ = std::move(used); }

  [[nodiscard]] rd_kafka_t* handle() const { return handle_; }

  /// A broker has been reached, has accepted the login and has described the cluster.
  [[nodiscard]] bool knows_cluster() const;

  /// Calls `use` for every event that is there.
  void take_events(const std::function<void(rd_kafka_event_t&)>& use);

 private:
  KafkaClient(rd_kafka_t* handle, int descriptor);

  rd_kafka_t* const handle_;
  rd_kafka_queue_t* const queue_;
  std::shared_ptr<void> used_;
};

}  // namespace outbox
