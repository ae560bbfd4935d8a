#include "core/topics.h"

#include <algorithm>
#include <utility>

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

}  // namespace

Topics::Topics(std::vector<std::string> patterns)
    : patterns_(std::move(patterns)), all_(std::ranges::find(patterns_, "*") != patterns_.end()) {}

bool Topics::take(std::string_view topic) const {
  return all_ || std::ranges::any_of(patterns_, [&](const std::string& p) { return matches(p, topic); });
}

}  // namespace outbox
