#include "core/row_queue.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "core/held_queue.h"

namespace outbox {

RowQueue::RowQueue(bool key_serial) : key_serial_(key_serial) {}

std::size_t RowQueue::add(Batch batch, Instant now, const RowFilter& filter) {
  std::size_t unrouted = 0;
  batches_.push_back({std::move(batch), std::numeric_limits<Ordinal>::max()});
  Source& source = batches_.back();
  for (const Message& message : source.batch.messages) {
    switch (filter.decide(message)) {
      case RowFilter::Decision::pass:
        break;
      case RowFilter::Decision::take:
        add_row(message, now);
        break;
      case RowFilter::Decision::unrouted:
        add_unrouted(message);
        ++unrouted;
        break;
    }
  }
  source.end = first_ + entries_.size();
  bytes_ += source.batch.bytes;
  pass_done();
  return unrouted;
}

void RowQueue::add_row(const Message& message, Instant now) {
  const Ordinal ordinal = first_ + entries_.size();
  Entry& entry = entries_.emplace_back();
  entry.message = &message;
  entry.born = now - message.age;
  // Until it is due it holds nobody back, and nobody it.
  if (message.due_in > Duration::zero())
    return set_apart(ordinal, HeldState::scheduled, now + message.due_in);
  if (message.key && !held_keys_.empty() && held_keys_.contains(*message.key)) return block(ordinal);
  // Where the broker keeps the order of what is pipelined, no row waits for another.
  if (message.key && key_serial_ && chain(entry, ordinal)) return;
  if (message.key && !aside_keys_.empty() && aside_keys_.contains(std::string(*message.key))) {
    entry.state = Entry::State::aside;
    aside_.push_back(ordinal);
  } else {
    fresh_.push_back(ordinal);
  }
}

void RowQueue::add_unrouted(const Message& message) {
  const Ordinal ordinal = first_ + entries_.size();
  entries_.emplace_back().message = &message;
  set_apart(ordinal, HeldState::unrouted, {});
}

/// Held, and of no key's order.
void RowQueue::set_apart(Ordinal ordinal, HeldState state, std::optional<Instant> due) {
  Entry& entry = at(ordinal);
  entry.state = Entry::State::held;
  held_[ordinal] = {hold_of(*entry.message, state, false), due};
}

/// True: an earlier row of its key is not done, so it waits.
bool RowQueue::chain(Entry& entry, Ordinal ordinal) {
  entry.key_hash = key_hash(*entry.message->key);
  entry.chained = true;
  const auto [last, is_first] = last_of_key_.try_emplace(entry.key_hash, ordinal);
  if (is_first) return false;
  at(std::exchange(last->second, ordinal)).follower = ordinal;
  entry.state = Entry::State::following;
  return true;
}

void RowQueue::make_ready(Ordinal ordinal) {
  at(ordinal).state = Entry::State::ready;
  again_.push(ordinal);
}

bool RowQueue::is_ready(Ordinal ordinal) {
  return holds(ordinal) && at(ordinal).state == Entry::State::ready;
}

std::optional<Ordinal> RowQueue::next_ready(Ordinal end) {
  while (!fresh_.empty() && !is_ready(fresh_.front())) fresh_.pop_front();
  while (!again_.empty() && !is_ready(again_.top())) again_.pop();
  const Ordinal fresh = fresh_.empty() ? end : fresh_.front();
  const Ordinal again = again_.empty() ? end : again_.top();
  const Ordinal next = std::min(fresh, again);
  if (next >= end) return std::nullopt;
  return next;
}

void RowQueue::submitted(Ordinal ordinal, Submitted when) {
  if (!fresh_.empty() && fresh_.front() == ordinal) {
    fresh_.pop_front();
  } else {
    assert(!again_.empty() && again_.top() == ordinal);
    again_.pop();
  }
  Entry& entry = at(ordinal);
  entry.state = Entry::State::in_flight;
  entry.submitted = when;
  ++in_flight_;
}

void RowQueue::done(Ordinal ordinal) {
  Entry& entry = leave_flight(ordinal);
  entry.state = Entry::State::done;
  if (entry.follower != 0)
    make_ready(entry.follower);
  else if (entry.chained)
    last_of_key_.erase(entry.key_hash);
  if (ordinal == first_) pass_done();
}

void RowQueue::put_back(Ordinal ordinal) {
  leave_flight(ordinal).state = Entry::State::ready;
  again_.push(ordinal);
}

void RowQueue::put_aside(Ordinal ordinal) {
  Entry& entry = leave_flight(ordinal);
  entry.state = Entry::State::aside;
  aside_.push_back(ordinal);
  if (key_serial_ || !entry.message->key) return;
  aside_keys_.emplace(*entry.message->key);
  for (Ordinal next = ordinal + 1; next < first_ + entries_.size(); ++next) {
    Entry& other = at(next);
    if (other.state != Entry::State::ready || other.message->key != entry.message->key) continue;
    other.state = Entry::State::aside;
    aside_.push_back(next);
  }
}

void RowQueue::recall_aside() {
  if (aside_.empty()) return;
  for (const Ordinal ordinal : aside_) {
    if (!holds(ordinal) || at(ordinal).state != Entry::State::aside) continue;
    make_ready(ordinal);
  }
  aside_.clear();
  aside_keys_.clear();
}

// ---- held rows ----

void RowQueue::hold(Ordinal ordinal, Hold hold, std::optional<Instant> due) {
  Entry& entry = at(ordinal);
  if (entry.state == Entry::State::in_flight) leave_flight(ordinal);
  entry.state = Entry::State::held;
  if (entry.message->key) {
    const auto key = held_keys_.find(*entry.message->key);
    const bool is_behind =
        key != held_keys_.end() && (key->second.stored || key->second.first_pending < ordinal);
    if (is_behind && hold.state != HeldState::dead) hold.state = HeldState::blocked;
    pend(*entry.message->key, ordinal);
  }
  held_[ordinal] = {std::move(hold), due};
  if (entry.message->key) hold_followers(entry, ordinal);
  if (ordinal == first_) pass_done();
}

RowQueue::KeyState& RowQueue::pend(std::string_view name, Ordinal ordinal) {
  KeyState& key = held_keys_.try_emplace(std::string(name)).first->second;
  key.first_pending = key.pending == 0 ? ordinal : std::min(key.first_pending, ordinal);
  ++key.pending;
  return key;
}

/// A crash before they are written reads all of them again, in order.
void RowQueue::hold_followers(Entry& entry, Ordinal ordinal) {
  if (key_serial_) {
    for (Ordinal next = std::exchange(entry.follower, 0); next != 0;) {
      const Ordinal after = std::exchange(at(next).follower, 0);
      block(next);
      next = after;
    }
    if (entry.chained) last_of_key_.erase(entry.key_hash);
    return;
  }
  // What is still with the broker is held when it comes back.
  for (Ordinal next = ordinal + 1; next < first_ + entries_.size(); ++next) {
    const Entry& other = at(next);
    if (other.message->key == entry.message->key && other.state != Entry::State::in_flight &&
        other.state != Entry::State::done)
      block(next);
  }
}

void RowQueue::block(Ordinal ordinal) {
  Entry& entry = at(ordinal);
  if (entry.state == Entry::State::held) {
    PendingHold& held = held_.at(ordinal);
    if (held.hold.state != HeldState::retrying) return;
    held.due.reset();
    held.hold.state = HeldState::blocked;
    return;
  }
  entry.state = Entry::State::held;
  pend(*entry.message->key, ordinal);
  held_[ordinal] = {hold_of(*entry.message, HeldState::blocked, true), {}};
}

bool RowQueue::is_behind_held(Ordinal ordinal) const {
  const Message& message = *at(ordinal).message;
  if (!message.key || held_keys_.empty()) return false;
  const auto key = held_keys_.find(*message.key);
  return key != held_keys_.end() && (key->second.stored || key->second.first_pending < ordinal);
}

void RowQueue::stored_keys_are(std::vector<std::string> keys) {
  for (auto& [name, key] : held_keys_) key.stored = false;
  std::erase_if(held_keys_, [](const auto& each) { return each.second.pending == 0; });
  for (std::string& key : keys) held_keys_[std::move(key)].stored = true;
}

bool RowQueue::is_stored(const std::string& name) const {
  const auto key = held_keys_.find(name);
  return key != held_keys_.end() && key->second.stored;
}

std::vector<Hold> RowQueue::take_held(Instant now) {
  std::vector<Hold> holds;
  holds.reserve(passed_held_.size());
  for (PendingHold& held : passed_held_) {
    if (held.due) held.hold.due_in = *held.due - now;
    holds.push_back(std::move(held.hold));
  }
  passed_held_.clear();
  return holds;
}

void RowQueue::topic_is_mended(std::string_view topic, Instant now) {
  for (auto& [ordinal, held] : held_) {
    if (held.hold.topic != topic) continue;
    held.hold.topic.clear();
    held.due = now;
  }
}

void RowQueue::held_is_saved(const std::vector<HeldKey>& holds, const std::vector<std::string>& freed) {
  for (const HeldKey& hold : holds) {
    KeyState& key = held_keys_[hold.key];
    --key.pending;
    key.stored = key.stored || hold.blocks;
  }
  for (const std::string& name : freed) {
    const auto key = held_keys_.find(name);
    if (key != held_keys_.end()) key->second.stored = false;
  }
  for (const HeldKey& hold : holds) forget_unless_held(hold.key);
  for (const std::string& name : freed) forget_unless_held(name);
}

void RowQueue::forget_unless_held(const std::string& name) {
  const auto key = held_keys_.find(name);
  if (key != held_keys_.end() && key->second.pending == 0 && !key->second.stored) held_keys_.erase(key);
}

// ---- the mark ----

RowQueue::Entry& RowQueue::leave_flight(Ordinal ordinal) {
  assert(holds(ordinal));
  Entry& entry = at(ordinal);
  assert(entry.state == Entry::State::in_flight);
  --in_flight_;
  return entry;
}

Mark RowQueue::mark() const {
  return passed_any_ ? Mark{batches_.front().batch.cursor, passed_seq_} : batch_mark_;
}

void RowQueue::pass_done() {
  for (;;) {
    if (!batches_.empty() && batches_.front().end <= first_) {
      Batch& batch = batches_.front().batch;
      moved_ = moved_ || !batch.messages.empty();
      bytes_ -= batch.bytes;
      batch_mark_ = std::move(batch.end);
      passed_any_ = false;
      batches_.pop_front();
    } else if (!entries_.empty() && (entries_.front().state == Entry::State::done ||
                                     entries_.front().state == Entry::State::held)) {
      if (entries_.front().state == Entry::State::held) {
        const auto held = held_.find(first_);
        passed_held_.push_back(std::move(held->second));
        held_.erase(held);
      }
      passed_seq_ = entries_.front().message->seq;
      passed_any_ = moved_ = true;
      entries_.pop_front();
      ++first_;
    } else {
      return;
    }
  }
}

void RowQueue::clear(const Mark& mark) {
  assert(in_flight_ == 0);
  first_ += entries_.size();
  entries_.clear();
  batches_.clear();
  fresh_.clear();
  again_ = {};
  aside_.clear();
  aside_keys_.clear();
  held_.clear();
  passed_held_.clear();
  held_keys_.clear();
  last_of_key_.clear();
  batch_mark_ = mark;
  passed_any_ = moved_ = false;
  bytes_ = 0;
}

}  // namespace outbox
