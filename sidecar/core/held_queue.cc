#include "core/held_queue.h"

#include <cassert>
#include <unordered_map>
#include <utility>

namespace outbox {

Hold hold_of(const Message& message, HeldState state, bool blocks) {
  Hold hold;
  hold.seq = message.seq;
  if (message.key) hold.key.emplace(*message.key);
  hold.state = state;
  hold.blocks = blocks && message.key;
  if (state == HeldState::unrouted) hold.topic = message.topic;
  return hold;
}

void HeldQueue::load(HeldBatch batch, Instant now) {
  assert(idle());
  memory_ = std::move(batch.rows.memory);
  messages_ = std::move(batch.rows.messages);
  assert(batch.facts.size() == messages_.size());
  entries_.clear();
  ready_.clear();
  loaded_at_ = now;
  exposed_ = 0;
  open_ = messages_.size();
  std::unordered_map<std::string_view, std::size_t> last_of_key;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    Entry& entry = entries_.emplace_back();
    entry.message = &messages_[i];
    entry.facts = batch.facts[i];
    if (messages_[i].key) {
      const auto [last, is_first] = last_of_key.try_emplace(*messages_[i].key, i);
      if (!is_first) {
        entries_[std::exchange(last->second, i)].follower = i;
        entry.state = Entry::State::following;
        continue;
      }
    }
    ready_.push_back(i);
  }
}

std::optional<Ticket> HeldQueue::next_ready() const {
  if (ready_.empty()) return std::nullopt;
  return first_ticket + ready_.front();
}

void HeldQueue::submitted(Ticket ticket, Submitted when) {
  assert(!ready_.empty() && ready_.front() == index_of(ticket));
  ready_.pop_front();
  Entry& entry = at(ticket);
  entry.state = Entry::State::in_flight;
  entry.submitted = when;
  if (!std::exchange(entry.exposed, true)) ++exposed_;
  ++in_flight_;
}

void HeldQueue::accepted(Ticket ticket) {
  Entry& entry = at(ticket);
  finish(entry);
  HeldRow& removal = removals_.emplace_back();
  removal.seq = entry.message->seq;
  if (entry.message->key) removal.key.emplace(*entry.message->key);
  if (entry.follower == 0) return;
  entries_[entry.follower].state = Entry::State::ready;
  ready_.push_front(entry.follower);
}

void HeldQueue::put_back(Ticket ticket) {
  Entry& entry = at(ticket);
  assert(entry.state == Entry::State::in_flight);
  --in_flight_;
  entry.state = Entry::State::ready;
  ready_.push_front(index_of(ticket));
}

void HeldQueue::failed(Ticket ticket, Hold change, std::optional<Instant> due) {
  Entry& entry = at(ticket);
  finish(entry);
  change.blocks = change.blocks && entry.facts.blocks;
  changes_.push_back({std::move(change), due});
  if (entry.follower != 0) leave_to_database(entry.follower);
}

void HeldQueue::finish(Entry& entry) {
  if (entry.state == Entry::State::in_flight) {
    --in_flight_;
  } else {
    assert(entry.state == Entry::State::ready && &entry == &entries_[ready_.front()]);
    ready_.pop_front();
  }
  entry.state = Entry::State::done;
  --open_;
}

void HeldQueue::leave_to_database(std::size_t index) {
  do {
    entries_[index].state = Entry::State::done;
    --open_;
    index = entries_[index].follower;
  } while (index != 0);
}

void HeldQueue::take_results(Instant now, HeldWrites& writes) {
  for (Change& change : changes_) {
    if (change.due) change.hold.due_in = *change.due - now;
    writes.changes.push_back(std::move(change.hold));
  }
  changes_.clear();
  writes.removals = std::exchange(removals_, {});
}

void HeldQueue::clear() {
  assert(in_flight_ == 0);
  *this = HeldQueue();
}

}  // namespace outbox
