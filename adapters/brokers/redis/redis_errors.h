// What Redis' error replies mean for a message and for the session. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/verdict.h"

namespace outbox {

struct RedisErrorMeaning {
  Verdict verdict = Verdict::retry;
  bool ends_session = false;  ///< another server, or a new login, is needed: the next session resolves anew
};

/// `error` as Redis sends it: "WRONGTYPE Operation against a key ...".
RedisErrorMeaning meaning_of(std::string_view error);

/// The error for people: one short line, without the arguments that some servers repeat, without `secret`.
std::string shown_error(std::string_view error, std::string_view secret);

}  // namespace outbox
