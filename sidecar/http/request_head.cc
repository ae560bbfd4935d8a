#include "http/request_head.h"

#include <algorithm>

namespace outbox {
namespace {

constexpr std::string_view line_end = "\r\n";

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

bool same_name(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_clean(std::string_view line) {
  return std::ranges::all_of(line, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte >= ' ' && byte != 0x7f) || byte == '\t';
  });
}

/// Whether a comma-separated list has the word.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (same_name(trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// False: the header makes the whole head unreadable.
bool take_header(std::string_view line, RequestHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  if (name.find_first_of(" \t") != std::string_view::npos) return false;
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_name(name, "connection") && has_word(value, "close")) head.close = true;
  // No endpoint takes a body. Instead of reading one to find the next request, the connection ends.
  if (same_name(name, "transfer-encoding")) head.close = true;
  if (same_name(name, "content-length") && value != "0") head.close = true;
  if (same_name(name, "authorization")) {
    if (!head.authorization.empty()) return false;
    head.authorization = value;
  }
  return true;
}

}  // namespace

std::optional<std::size_t> head_length(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return end + 4;
}

std::optional<RequestHead> read_head(std::string_view bytes) {
  RequestHead head;
  for (bool is_first = true; !bytes.starts_with(line_end); is_first = false) {
    const auto end = bytes.find(line_end);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + line_end.size());
    if (!is_clean(line)) return std::nullopt;
    if (is_first)
      head.line = line;
    else if (!take_header(line, head))
      return std::nullopt;
  }
  if (std::ranges::count(head.line, ' ') != 2) return std::nullopt;
  if (head.line.ends_with(" HTTP/1.0"))
    head.close = true;
  else if (!head.line.ends_with(" HTTP/1.1"))
    return std::nullopt;
  return head;
}

}  // namespace outbox
