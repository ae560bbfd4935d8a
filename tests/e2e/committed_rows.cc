#include "tests/e2e/committed_rows.h"

#include <algorithm>

namespace outbox::test {

std::string Comparison::text() const {
  return "lost " + std::to_string(lost) + ", uncommitted " + std::to_string(uncommitted) + ", inverted " +
         std::to_string(inverted) + ", changed " + std::to_string(changed) + ", repeated " +
         std::to_string(repeated);
}

Comparison CommittedRows::compare(const std::vector<Received>& arrived) const {
  Comparison result;
  std::set<std::string> seen;
  std::map<std::string, long> last;  // by key
  for (const Received& message : arrived) {
    const auto found = rows_.find(message.id());
    if (found == rows_.end()) {
      ++result.uncommitted;
      continue;
    }
    const CommittedRow& row = found->second;
    const auto key = message.attributes.find("partitionkey");
    if (message.payload != row.payload || key == message.attributes.end() || key->second != row.key)
      ++result.changed;
    if (!seen.insert(message.id()).second) {
      ++result.repeated;
      continue;
    }
    long& before = last[row.key];
    result.inverted += row.number != before + 1;
    before = std::max(before, row.number);
  }
  result.lost = rows_.size() - seen.size();
  return result;
}

std::size_t repeats_in(const std::vector<Received>& arrived, std::size_t begin, std::size_t end) {
  std::set<std::string> seen;
  std::size_t repeats = 0;
  for (std::size_t i = 0; i < std::min(end, arrived.size()); ++i)
    if (!seen.insert(arrived[i].id()).second && i >= begin) ++repeats;
  return repeats;
}

}  // namespace outbox::test
