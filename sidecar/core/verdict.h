// What a broker's answer means. Exactly one per message and attempt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outbox {

enum class Verdict : std::uint8_t {
  accepted,       ///< the broker took durable responsibility
  retry,          ///< turned away this time, the message's own fault possible: uses an attempt
  rejected,       ///< will never be taken (too large, illegal)
  unavailable,    ///< not taken and the message is not to blame (down, throttled, not connected): uses no
                  ///< attempt
  misconfigured,  ///< missing topic, no permission: not taken until somebody changes something
  in_doubt,       ///< no answer came: treated as not accepted, sent again with the same id
};

inline constexpr int verdict_count = 6;

constexpr std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::accepted:
      return "accepted";
    case Verdict::retry:
      return "retry";
    case Verdict::rejected:
      return "rejected";
    case Verdict::unavailable:
      return "unavailable";
    case Verdict::misconfigured:
      return "misconfigured";
    case Verdict::in_doubt:
      return "in_doubt";
  }
  return "";
}

/// Names one submitted message until its delivery; chosen by the submitter, unique among those in flight.
using Ticket = std::uint64_t;

/// Whom a refusal that is not the message's fault blames.
enum class Scope : std::uint8_t {
  route,  ///< the whole server, the login
  topic,  ///< this message's topic alone: missing, forbidden, full, of the wrong type
};

struct Delivery {
  Ticket ticket = 0;
  Verdict verdict = Verdict::accepted;
  std::string reason;          ///< empty when accepted; for people; no payload, no secrets
  Scope scope = Scope::route;  ///< of unavailable and misconfigured
  bool duplicate = false;      ///< of accepted: the broker says that it had the message already
};

}  // namespace outbox
