// What operators see of held rows, messages and blocked keys, as JSON: the same over HTTP and on the command
// line. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/admin.h"
#include "core/status.h"

namespace outbox {

[[nodiscard]] nlohmann::ordered_json blocked_key_json(const BlockedKeyStatus& key);

/// A time that is not set is null.
[[nodiscard]] nlohmann::ordered_json held_json(const HeldEntry& entry);

/// The payload is there when `with_payload`: as `payload` where it is UTF-8, else as `payload_base64`.
/// Headers that are no flat object of strings are shown as text.
[[nodiscard]] nlohmann::ordered_json message_json(const MessageDetails& message, bool with_payload);

/// One page of held rows as text; when there is `more` behind it, it names the place to go on from.
[[nodiscard]] std::string held_page_text(const std::vector<HeldEntry>& page, bool more);

/// What the routes hold of one row, and its message if it is still there, as text.
[[nodiscard]] std::string held_row_text(const std::vector<HeldEntry>& entries,
                                        const std::optional<MessageDetails>& message, bool with_payload);

[[nodiscard]] std::string matched_text(const Matched& matched);

/// One line, with its end: nested data would be mostly blanks. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string json_text(const nlohmann::ordered_json& json);

[[nodiscard]] BlockedKeyStatus blocked_key_status(const BlockedKey& key);

}  // namespace outbox
