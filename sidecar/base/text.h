// Bytes as text: UTF-8, base64, JSON, and what may be shown to people. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox {

/// Strictly: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

/// What every database takes as text: at most so many characters, UTF-8 without NUL. A byte that is neither
/// becomes '?'.
std::string storable(std::string_view text, std::size_t characters_max);

/// Appends RFC 4648 base64 with padding.
void append_base64(std::string& to, std::string_view bytes);

/// Appends an attribute's value as the CloudEvents bindings for HTTP and NATS have it: space, ", % and all
/// that is not printable ASCII as %XX, byte by byte.
void append_percent_encoded(std::string& to, std::string_view text);

/// Appends a JSON string with its quotes. Precondition: valid UTF-8.
void append_json_string(std::string& to, std::string_view text);

/// Whether the bytes are exactly one JSON text (RFC 8259), in UTF-8, without a byte order mark, nested at
/// most 1000 deep. Numbers are judged by their form alone, whatever their size.
bool is_json(std::string_view text);

/// What a server says, for reasons and logs: `secret`, wherever it stands, as "***", then printable().
std::string shown_without(std::string_view secret, std::string_view text, std::size_t length_max);

/// For reasons and logs: control characters and what is not ASCII become '?', and what is longer ends in
/// "...".
std::string printable(std::string_view text, std::size_t length_max);

}  // namespace outbox
