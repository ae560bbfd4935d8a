// Durations as the configuration writes them: "200ms", "10s", "5m", "1h", "1d". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"

namespace outbox {

/// A whole number and a unit: ms, s, m, h, d. Nothing for any other text, or beyond 100 years.
std::optional<Duration> parse_duration(std::string_view text);

/// In the largest unit that divides it; what is below a millisecond is cut off.
std::string duration_text(Duration duration);

}  // namespace outbox
