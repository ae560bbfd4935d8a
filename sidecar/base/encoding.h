// Bytes written with few characters: base64, hexadecimal, per cent. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox {

/// Appends RFC 4648 base64 with padding.
void append_base64(std::string& to, std::string_view bytes);

/// nullopt: no base64, with its padding.
std::optional<std::string> decode_base64(std::string_view text);

/// Appends two digits a byte, in lower case.
void append_hex(std::string& to, std::string_view bytes);

/// Digits in either case; nullopt: something else, or half a byte.
std::optional<std::string> decode_hex(std::string_view text);

/// Appends %XX.
void append_percent(std::string& to, char byte);

/// Appends an attribute's value as the CloudEvents bindings for HTTP and NATS have it: space, ", % and all
/// that is not printable ASCII as %XX, byte by byte.
void append_percent_encoded(std::string& to, std::string_view text);

}  // namespace outbox
