// JSON as text: strings written, texts judged, and how deep a foreign one may be. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox {

/// Appends a JSON string with its quotes. Precondition: valid UTF-8.
void append_json_string(std::string& to, std::string_view text);

/// Whether the bytes are exactly one JSON text (RFC 8259), in UTF-8, without a byte order mark, nested at
/// most 1000 deep. Numbers are judged by their form alone, whatever their size.
bool is_json(std::string_view text);

/// Whether arrays and objects stand more than `depth_max` deep within each other. Never no of a text in which
/// a parser gets deeper before it finds a fault.
bool is_nested_deeper(std::string_view json, std::size_t depth_max);

/// What rows, requests and peers send is nested less than that. Whatever walks over a tree may go as deep as
/// the tree does, on a stack that ends.
inline constexpr std::size_t json_depth_max = 32;

/// The one way in for JSON that is not ours, with the library's type; discarded: it is none, or nested too
/// deeply.
template <class Json>
Json read_json(std::string_view text) {
  if (is_nested_deeper(text, json_depth_max)) return Json(Json::value_t::discarded);
  return Json::parse(text.begin(), text.end(), nullptr, false);
}

}  // namespace outbox
