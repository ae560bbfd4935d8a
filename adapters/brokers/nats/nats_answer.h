// What JetStream's answers and the server's errors mean for a message. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/verdict.h"

namespace outbox {

struct NatsAnswer {
  Verdict verdict = Verdict::retry;
  std::string text;         ///< for people; empty when accepted
  bool is_foreign = false;  ///< a service that listens to the subject has replied, not JetStream
  Scope scope = Scope::topic;
  bool duplicate = false;  ///< of accepted: the stream had the message already
};

/// `status` is that of an answer without a body ("503": nobody listens to the subject), else empty; `body` a
/// PubAck in JSON. A stored message and one that the stream knew already are both accepted.
NatsAnswer meaning_of_nats_answer(std::string_view status, std::string_view body);

/// What a server refuses as `Permissions Violation for Publish to "subject"`.
struct NatsDenial {
  bool is_publish = false;   ///< else a subscription
  std::string_view subject;  ///< looks into the text
  bool is_cut = false;       ///< nats.c keeps 255 bytes of an error: the subject may go on
};

/// nullopt: it is another error.
std::optional<NatsDenial> nats_denial_in(std::string_view error);

}  // namespace outbox
