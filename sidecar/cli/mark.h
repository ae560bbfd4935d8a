// Where a mark is put, as people write it. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/admin.h"

namespace outbox::cli {

/// "oldest", "now", a seq, or an RFC 3339 time; nullopt for any other text.
[[nodiscard]] std::optional<MarkPlace> parse_mark_place(const std::string& text);

/// "the oldest retained row", "seq 17", ...
[[nodiscard]] std::string described(const MarkPlace& place);

}  // namespace outbox::cli
