// JSON without building anything: strings written, texts judged. Pure.
#pragma once

#include <string>
#include <string_view>

namespace outbox {

/// Appends a JSON string with its quotes. Precondition: valid UTF-8.
void append_json_string(std::string& to, std::string_view text);

/// Whether the bytes are exactly one JSON text (RFC 8259), in UTF-8, without a byte order mark, nested at
/// most 1000 deep. Numbers are judged by their form alone, whatever their size.
bool is_json(std::string_view text);

}  // namespace outbox
