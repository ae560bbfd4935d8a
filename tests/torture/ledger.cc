#include "tests/torture/ledger.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <unordered_set>
#include <utility>

namespace outbox::test {

std::string Ledger::new_id() {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-4%03x-8%03x-%012llx", static_cast<unsigned>(random_()),
                static_cast<unsigned>(random_() & 0xffff), static_cast<unsigned>(random_() & 0xfff),
                static_cast<unsigned>(random_() & 0xfff),
                static_cast<unsigned long long>(random_() & 0xffffffffffff));
  return text.data();
}

std::size_t Ledger::add(const std::string& key, bool scheduled) {
  const std::lock_guard lock(mutex_);
  LedgerRow row;
  row.id = new_id();
  row.key = key;
  row.number = ++numbers_[key];
  row.scheduled = scheduled;
  const std::size_t filler = random_() % 50 == 0 ? 6000 : random_() % 300;
  row.payload = R"({"key":")" + key + R"(","number":)" + std::to_string(row.number) + R"(,"filler":")" +
                std::string(filler, 'x') + "\"}";
  rows_.push_back(std::move(row));
  return rows_.size() - 1;
}

void Ledger::set(std::span<const std::size_t> rows, Fate fate) {
  const std::lock_guard lock(mutex_);
  for (const std::size_t row : rows) {
    rows_[row].fate = fate;
    committed_ += fate == Fate::committed;
  }
}

LedgerRow Ledger::row(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return rows_.at(index);
}

std::size_t Ledger::size() const {
  const std::lock_guard lock(mutex_);
  return rows_.size();
}

std::size_t Ledger::committed() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

std::vector<std::string> Ledger::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const LedgerRow& row : rows_) ids.push_back(row.id);
  return ids;
}

Expectations Ledger::expected(const std::vector<std::string>& stored, bool may_forget) const {
  const std::lock_guard lock(mutex_);
  const std::unordered_set<std::string> there(stored.begin(), stored.end());
  Expectations result;
  std::size_t found = 0;
  for (const LedgerRow& row : rows_) {
    const bool is_there = there.contains(row.id);
    found += is_there;
    const bool was_committed = row.fate == Fate::committed || row.fate == Fate::unknown;
    if (is_there && !was_committed) throw std::runtime_error("the database kept a row that was rolled back");
    if (!is_there && row.fate == Fate::committed && !may_forget)
      throw std::runtime_error("the database lost a committed row: " + row.id);
    const Due gone = was_committed && may_forget ? Due::allowed : Due::forbidden;
    result[row.id] = {row.key, row.payload, row.number, is_there ? Due::required : gone, row.scheduled};
  }
  if (found != there.size()) throw std::runtime_error("the outbox holds rows that no producer has written");
  return result;
}

namespace {

/// Charges every repeat to the crash that left the message open: the one after its arrival before. A later
/// relay that dies early may not come to repeat it, so that it is the next one's turn.
class OpenMessages {
 public:
  explicit OpenMessages(std::size_t window) : window_(window) {}

  void crash() { ++crashes_; }
  void arrived(const std::string& id) { lived_[id] = crashes_; }
  /// False: this one is more than the crash may have left open.
  [[nodiscard]] bool may_arrive_again(const std::string& id) {
    return ++open_[std::exchange(lived_[id], crashes_)] <= window_;
  }

 private:
  const std::size_t window_;
  std::size_t crashes_ = 0;
  std::unordered_map<std::string, std::size_t> lived_;  ///< by id: how many crashes before it arrived last
  std::unordered_map<std::size_t, std::size_t> open_;   ///< by crash: how many arrived again
};

}  // namespace

Findings judge_arrivals(const Expectations& expected, const std::vector<Received>& arrived,
                        const std::vector<std::size_t>& crashes, std::size_t repeats_max) {
  Findings findings;
  const auto example = [&](const std::string& what, const Received& message, std::size_t at) {
    if (findings.example.empty())
      findings.example = what + ": arrival " + std::to_string(at) + ", id " + message.id() + ", " +
                         message.payload.substr(0, 60);
  };
  std::unordered_set<std::string> seen;
  std::unordered_map<std::string, long> last;  // by key
  OpenMessages open(repeats_max);
  std::size_t next_crash = 0;
  for (std::size_t at = 0; at < arrived.size(); ++at) {
    for (; next_crash < crashes.size() && crashes[next_crash] <= at; ++next_crash) open.crash();
    const Received& message = arrived[at];
    const auto found = expected.find(message.id());
    const auto key = message.attributes.find("partitionkey");
    if (found == expected.end() || found->second.due == Due::forbidden || found->second.due == Due::refused ||
        message.payload != found->second.payload ||
        (key == message.attributes.end() ? "" : key->second) != found->second.key) {
      ++findings.uncommitted;
      example("uncommitted", message, at);
      continue;
    }
    if (!seen.insert(message.id()).second) {
      ++findings.duplicates;
      if (!open.may_arrive_again(message.id())) {
        ++findings.too_many;
        example("more repeats than a window", message, at);
      }
      continue;
    }
    open.arrived(message.id());
    if (found->second.key.empty()) continue;
    long& before = last[found->second.key];
    // What waited before a scheduled row never comes after it.
    if (found->second.number < before && !found->second.scheduled) {
      ++findings.inverted;
      example("inverted", message, at);
    }
    before = std::max(before, found->second.number);
  }
  for (const auto& [id, row] : expected) {
    if (row.due != Due::required) continue;
    ++findings.messages;
    if (seen.contains(id)) continue;
    ++findings.lost;
    if (findings.example.empty())
      findings.example = "lost: id " + id + ", key " + row.key + ", number " + std::to_string(row.number);
  }
  return findings;
}

}  // namespace outbox::test
