// Dates as databases and people write them, to and from Timestamp. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace outbox {

/// A date in ISO 8601 as RFC 3339, SQLite and PostgreSQL write it: 2026-01-31T12:00:00.123456Z, with a space
/// or 't' for the 'T', without seconds, without a time (midnight), with an offset (+01:00, +0100, +01) or
/// without one (UTC), with any number of digits after the point or comma; what is finer than a microsecond is
/// cut off. Years 0000 to 9999. nullopt for all else, dates that do not exist (February 30) included; a leap
/// second counts as the second that follows.
std::optional<Timestamp> parse_timestamp(std::string_view text);

/// RFC 3339 in UTC with milliseconds, or with microseconds where there are any: 2026-01-31T12:00:00.123Z.
std::string format_timestamp(Timestamp time);

/// As that, in whole seconds: 2026-01-31T12:00:00Z.
std::string format_in_seconds(Timestamp time);

/// From one date to a later one (negative: an earlier one); what is longer is cut to a century, so that it
/// can be added to any Instant: a Duration holds 292 years, and an Instant no more.
Duration between(Timestamp from, Timestamp to);

}  // namespace outbox
