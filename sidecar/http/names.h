// Names that /status and /metrics always show, so that every series exists from the start with its zero.
#pragma once

#include <array>
#include <string_view>

#include "core/verdict.h"

namespace outbox {

/// Contract's names of what can be held, in the order of HeldState.
inline constexpr std::array<std::string_view, 5> held_states = {"retrying", "blocked", "scheduled", "dead",
                                                                "unrouted"};

/// Every verdict that is not a success.
inline constexpr std::array failing_verdicts = {Verdict::retry, Verdict::rejected, Verdict::unavailable,
                                                Verdict::misconfigured, Verdict::in_doubt};

}  // namespace outbox
