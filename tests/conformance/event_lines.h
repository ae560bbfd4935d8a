// Reads NDJSON of CloudEvents as a consumer would: with a JSON parser, knowing nothing of the adapter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// Throws when a line is no JSON object with strings where they belong, or the last one is not complete.
std::vector<Received> read_event_lines(std::string_view text);

/// A file's bytes.
std::string read_file(const std::string& path);

/// The lines that a file has so far, without one that is still being written.
std::vector<Received> complete_events(const std::string& path);

}  // namespace outbox::test
