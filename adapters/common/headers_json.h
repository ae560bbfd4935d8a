// The headers column: a JSON object of string to string. Of several values of one name the last counts, as in
// PostgreSQL's jsonb. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/message.h"

namespace outbox {

using HeaderList = std::vector<Header>;

/// Reads the common case, an object of plain ASCII strings without escapes, as views into `json`. False: it
/// is something else, perhaps valid all the same; `found` is then worthless.
bool simple_headers(std::string_view json, HeaderList& found);

/// Reads any headers. Returns what is wrong with them, empty when nothing is; then `found` is worthless.
std::string decode_headers(std::string_view json, std::vector<std::pair<std::string, std::string>>& found);

}  // namespace outbox
