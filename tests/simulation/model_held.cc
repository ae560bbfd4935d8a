#include "model_held.h"

#include <algorithm>
#include <utility>

namespace outbox::simulation {
namespace {

bool waits_for_a_time(const ModelHeld::Row& row) {
  return row.state == HeldState::retrying || row.state == HeldState::scheduled;
}

}  // namespace

Settled ModelHeld::write(const HeldWrites& writes, Instant now) {
  std::set<std::string> touched;
  const auto touch = [&](const std::optional<std::string>& key) {
    if (key) touched.insert(*key);
  };
  for (const Hold& hold : writes.holds) {
    set(hold, now);
    touch(hold.key);
  }
  for (const Hold& change : writes.changes) {
    if (rows_.contains(change.seq)) set(change, now);
    touch(change.key);
  }
  for (const HeldRow& removal : writes.removals) {
    rows_.erase(removal.seq);
    touch(removal.key);
  }
  for (auto& [seq, row] : rows_) {
    if (row.state != HeldState::retrying ||
        std::ranges::find(writes.mended, row.topic) == writes.mended.end())
      continue;
    row.due = now;
    row.topic.clear();
  }
  Settled settled;
  for (const std::string& key : touched) {
    promote(key, now);
    if (first_that_blocks(key) == rows_.end()) settled.freed.push_back(key);
  }
  return settled;
}

void ModelHeld::set(const Hold& hold, Instant now) {
  Row& row = rows_[hold.seq];
  row = {hold.key, hold.state, hold.blocks, hold.attempts, std::nullopt, hold.topic};
  if (hold.due_in) row.due = now + *hold.due_in;
}

std::map<std::int64_t, ModelHeld::Row>::iterator ModelHeld::first_that_blocks(const std::string& key) {
  return std::ranges::find_if(rows_,
                              [&](const auto& each) { return each.second.blocks && each.second.key == key; });
}

void ModelHeld::promote(const std::string& key, Instant now) {
  const auto first = first_that_blocks(key);
  if (first == rows_.end() || first->second.state != HeldState::blocked) return;
  Row& row = first->second;
  row.state = HeldState::retrying;
  row.due = now;
}

HeldKeys ModelHeld::keys(Instant now) const {
  HeldKeys result;
  std::set<std::string> blocked;
  result.rows_total = static_cast<std::int64_t>(rows_.size());
  result.rows_unrouted =
      std::ranges::count_if(rows_, [](const auto& each) { return each.second.state == HeldState::unrouted; });
  for (const auto& [seq, row] : rows_) {
    if (row.blocks && row.key) blocked.insert(*row.key);
    if (!waits_for_a_time(row) || waits_for_its_place(seq, row, now)) continue;
    const Duration due_in = std::max<Duration>(*row.due - now, Duration::zero());
    result.next_due_in = result.next_due_in ? std::min(*result.next_due_in, due_in) : due_in;
  }
  result.blocked.assign(blocked.begin(), blocked.end());
  return result;
}

std::vector<std::int64_t> ModelHeld::due(std::size_t limit, Instant now,
                                         std::optional<Duration>& next) const {
  std::vector<std::pair<Instant, std::int64_t>> heads;
  for (const auto& [seq, row] : rows_)
    if (waits_for_a_time(row) && !waits_for_its_place(seq, row, now)) heads.emplace_back(*row.due, seq);
  std::ranges::sort(heads);
  std::vector<std::int64_t> result;
  for (const auto& [when, seq] : heads) {
    if (when > now || result.size() == limit) {
      next = std::max<Duration>(when - now, Duration::zero());
      break;
    }
    result.push_back(seq);
    if (!rows_.at(seq).key) continue;
    for (auto row = rows_.upper_bound(seq); row != rows_.end() && result.size() < limit; ++row) {
      if (row->second.key != rows_.at(seq).key || !row->second.blocks) continue;
      if (row->second.state != HeldState::blocked) break;
      result.push_back(row->first);
    }
  }
  return result;
}

/// It has left its key's order and is due, but a row before it blocks its key.
bool ModelHeld::waits_for_its_place(std::int64_t seq, const Row& row, Instant now) const {
  if (row.blocks || !row.key || *row.due > now) return false;
  return std::ranges::any_of(rows_, [&](const auto& each) {
    return each.first < seq && each.second.blocks && each.second.key == row.key;
  });
}

void ModelHeld::requeue(std::int64_t seq, Instant now) {
  Row& row = rows_.at(seq);
  row.blocks = row.key.has_value();
  row.attempts = 0;
  row.state = row.key ? HeldState::blocked : HeldState::retrying;
  row.due = row.key ? std::nullopt : std::optional(now);
  if (row.key) promote(*row.key, now);
}

void ModelHeld::discard(std::int64_t seq, Instant now) {
  const auto key = rows_.at(seq).key;
  rows_.erase(seq);
  if (key) promote(*key, now);
}

}  // namespace outbox::simulation
