// How a log line is written down: names, escaping, the time. Pure but for the time; any thread.
#pragma once

#include <string>
#include <string_view>

#include "runtime/log.h"

namespace outbox::log_text {

std::string_view name_of(Level level);

/// `name=value`; a value that is empty or holds blanks, quotes, '=' or anything unprintable is quoted and
/// escaped.
void append_name_and_value(std::string& line, std::string_view name, std::string_view value);

/// A JSON string with its quotes. Control characters (C1 too, which terminals obey) become \uXXXX, what is no
/// UTF-8 becomes U+FFFD: no value can begin a line of its own or break the format.
void append_quoted(std::string& line, std::string_view value);

/// RFC 3339, UTC, milliseconds.
std::string timestamp_now();

}  // namespace outbox::log_text
