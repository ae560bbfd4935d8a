// UUIDs, as which messages have their ids. Pure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {

/// Canonical: lower case, with dashes.
using UuidText = std::array<char, 36>;

/// Precondition: sixteen bytes.
void format_uuid(std::string_view bytes, UuidText& text);

/// From letters in either case. False: it is no UUID, and `text` is undefined.
[[nodiscard]] bool copy_uuid(std::string_view from, UuidText& text);

/// nullopt: it is no UUID.
std::optional<std::string> canonical_uuid(std::string_view text);

}  // namespace outbox
