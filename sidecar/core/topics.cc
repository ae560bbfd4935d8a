#include "core/topics.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace outbox {
namespace {

bool matches(std::string_view pattern, std::string_view topic) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < topic.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == topic[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_hex(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

}  // namespace

Topics::Topics(std::vector<std::string> patterns)
    : patterns_(std::move(patterns)), all_(std::ranges::find(patterns_, "*") != patterns_.end()) {}

std::string_view foreign_wildcard(std::string_view pattern) {
  const auto is_separator = [](char c) { return c == '.' || c == '/'; };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view here = pattern.substr(i, 1), rest = pattern.substr(i + 1);
    const bool ends_word = rest.empty() || is_separator(rest[0]);
    const bool is_word = ends_word && (i == 0 || is_separator(pattern[i - 1]));
    const bool is_escape = rest.size() >= 2 && is_hex(rest[0]) && is_hex(rest[1]);  // of a URL
    if (std::string_view("#?{}[]()|\\").find(pattern[i]) != pattern.npos) return here;
    if ((pattern[i] == '>' || pattern[i] == '+') && is_word) return here;
    if (pattern[i] == '%' && !is_escape) return here;
    if ((pattern[i] == '^' && i == 0) || (pattern[i] == '$' && rest.empty())) return here;
  }
  return {};
}

bool Topics::take(std::string_view topic) const {
  return all_ || std::ranges::any_of(patterns_, [&](const std::string& p) { return matches(p, topic); });
}

}  // namespace outbox
