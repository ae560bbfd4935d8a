// What the errors of Kafka and of librdkafka mean for a message and for the session. Pure.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/verdict.h"

namespace outbox {

struct ErrorMeaning {
  /// session: nothing is said of the message. topic: all messages to it fare alike. batch: some message of
  /// the batch is meant.
  enum class Reach { session, topic, batch };
  Reach reach = Reach::batch;
  Verdict verdict =
      Verdict::retry;  ///< for a message that is meant; that of a session's depends on whether it was sent
  std::string_view fix{};
};

ErrorMeaning meaning_of(rd_kafka_resp_err_t error);

/// What an error that is not about a message means for the session: misconfigured or unavailable. `text` as
/// librdkafka wrote it.
Fault fault_of(rd_kafka_resp_err_t error, std::string_view text);

}  // namespace outbox
