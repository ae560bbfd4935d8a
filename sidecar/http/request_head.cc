#include "http/request_head.h"

#include <algorithm>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::string_view line_end = "\r\n";

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
    if (same_ignoring_case(trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool take_once(std::string_view value, std::string_view& target) {
  if (!target.empty()) return false;
  target = value;
  return true;
}

bool take_length(std::string_view value, RequestHead& head) {
  const auto length = parse_number<std::size_t>(value);
  if (!length || (head.content_length != 0 && head.content_length != *length)) return false;
  head.content_length = *length;
  return true;
}

/// False: the header makes the whole head unreadable.
bool take_header(std::string_view line, RequestHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  if (name.find_first_of(" \t") != std::string_view::npos) return false;
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_ignoring_case(name, "connection") && has_word(value, "close")) head.close = true;
  if (same_ignoring_case(name, "transfer-encoding")) head.has_transfer_encoding = true;
  if (same_ignoring_case(name, "origin")) head.has_origin = true;
  if (same_ignoring_case(name, "expect") && same_ignoring_case(value, "100-continue"))
    head.expects_continue = true;
  if (same_ignoring_case(name, "content-length")) return take_length(value, head);
  if (same_ignoring_case(name, "authorization")) return take_once(value, head.authorization);
  if (same_ignoring_case(name, "host")) return take_once(value, head.host);
  if (same_ignoring_case(name, "content-type")) return take_once(value, head.content_type);
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
  // With both, two readers could disagree about where the next request begins.
  if (head.has_transfer_encoding && head.content_length != 0) return std::nullopt;
  // The connection ends with a request that has a body: nothing has to be found behind it.
  if (head.has_transfer_encoding || head.content_length != 0) head.close = true;
  if (std::ranges::count(head.line, ' ') != 2) return std::nullopt;
  if (head.line.ends_with(" HTTP/1.0"))
    head.close = true;
  else if (!head.line.ends_with(" HTTP/1.1"))
    return std::nullopt;
  return head;
}

}  // namespace outbox
