#include "adapters/brokers/amqp/amqp_errors.h"

#include "adapters/brokers/amqp/amqp_library.h"
#include "base/text.h"

namespace outbox {

Verdict verdict_of_close(int code) {
  switch (code) {
    case AMQP_CONTENT_TOO_LARGE:
    case AMQP_PRECONDITION_FAILED:  // RabbitMQ's answer to a message beyond max_message_size
      return Verdict::rejected;
    case AMQP_NOT_FOUND:
    case AMQP_ACCESS_REFUSED:
      return Verdict::misconfigured;
    default:
      return Verdict::retry;
  }
}

Fault fault_of_close(int code, std::string_view text) {
  switch (code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_FOUND:
    case AMQP_INVALID_PATH:
      return Fault::misconfigured;
    case AMQP_NOT_ALLOWED:
      // A virtual host that is not there or not this user's; but a limit of connections passes.
      return text.find("limit") == text.npos ? Fault::misconfigured : Fault::unavailable;
    default:
      return Fault::unavailable;
  }
}

std::string shown_close(int code, std::string_view text, std::string_view secret) {
  return std::to_string(code) + " " + shown_without(secret, text, 300);
}

}  // namespace outbox
