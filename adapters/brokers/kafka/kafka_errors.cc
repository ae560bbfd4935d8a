#include "adapters/brokers/kafka/kafka_errors.h"

namespace outbox {

ErrorMeaning meaning_of(rd_kafka_resp_err_t error) {
  using Reach = ErrorMeaning::Reach;
  switch (error) {
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return {Reach::session, Verdict::in_doubt};
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return {Reach::topic, Verdict::misconfigured, "create it"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return {Reach::topic, Verdict::misconfigured, "grant the relay's user Write and Describe on it"};
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return {Reach::topic, Verdict::misconfigured, "grant the relay's user IdempotentWrite on the cluster"};
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
      return {Reach::topic, Verdict::misconfigured, "see compression"};
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return {Reach::topic, Verdict::misconfigured,
              "set this host's clock, or the topic's message.timestamp.before/after.max.ms"};
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return {Reach::batch, Verdict::rejected, "raise the topic's max.message.bytes"};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return {Reach::batch, Verdict::rejected, "a compacted topic takes no message without a key"};
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
      return {Reach::batch, Verdict::rejected};
    default:  // librdkafka's list grows: what is not known may be the message
      return {Reach::batch, Verdict::retry};
  }
}

Fault fault_of(rd_kafka_resp_err_t error, std::string_view text) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return Fault::misconfigured;
    case RD_KAFKA_RESP_ERR__SSL:
      // A server that speaks no TLS, or is about to stop, fails the handshake as well.
      return text.find("certificate") == text.npos ? Fault::unavailable : Fault::misconfigured;
    default:
      return Fault::unavailable;
  }
}

}  // namespace outbox
