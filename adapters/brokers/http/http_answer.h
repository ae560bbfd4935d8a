// What a status code of HTTP means for a message and for the session. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/verdict.h"

namespace outbox {

struct AnswerMeaning {
  Verdict verdict = Verdict::retry;
  bool ends_session = false;     ///< the next session asks whether the receiver is there at all
  std::string_view advice = {};  ///< what to do, for people; empty: nothing
  Scope scope = Scope::route;
};

/// The table of the README.
AnswerMeaning meaning_of_status(long status);

/// Whether an answer to the session's first request says that the receiver is not there. All else tells that
/// somebody answers: what an OPTIONS request is refused for says nothing of a POST.
bool is_absent(long status);

/// "503 Service Unavailable"
std::string status_text(long status);

}  // namespace outbox
