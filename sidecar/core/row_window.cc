#include "core/row_window.h"

#include <algorithm>
#include <cassert>

namespace outbox {

RowWindow::RowWindow(bool key_serial) : key_serial_(key_serial) {}

std::size_t RowWindow::add(Batch batch, Instant now, const Topics& topics) {
  const Ordinal before = first_ + entries_.size();
  batches_.push_back({std::move(batch), 0});
  Source& source = batches_.back();
  for (const Message& message : source.batch.messages)
    if (topics.take(message.topic)) add_row(message, now);
  source.end = first_ + entries_.size();
  bytes_ += source.batch.bytes;
  pass_done();
  return static_cast<std::size_t>(first_ + entries_.size() - before);
}

void RowWindow::add_row(const Message& message, Instant now) {
  const Ordinal ordinal = first_ + entries_.size();
  Entry& entry = entries_.emplace_back();
  entry.message = &message;
  entry.born = now - message.age;
  const bool scheduled = message.due_in > Duration::zero();
  // Where the broker keeps the order of what is pipelined, only a row that waits for its time makes its key
  // wait.
  if (message.key && (key_serial_ || scheduled || !last_of_key_.empty())) {
    entry.key_hash = std::hash<std::string_view>{}(*message.key);
    const auto last = last_of_key_.find(entry.key_hash);
    if (last != last_of_key_.end()) {
      at(last->second).follower = ordinal;
      last->second = ordinal;
      entry.chained = true;
      entry.state = Entry::State::following;
      return;
    }
    if (key_serial_ || scheduled) {
      last_of_key_.emplace(entry.key_hash, ordinal);
      entry.chained = true;
    }
  }
  if (scheduled)
    make_ready(ordinal, now);
  else
    fresh_.push_back(ordinal);
}

/// Ready now, or when it is due.
void RowWindow::make_ready(Ordinal ordinal, Instant now) {
  Entry& entry = at(ordinal);
  const Instant due = entry.born + entry.message->age + entry.message->due_in;
  if (entry.message->due_in > Duration::zero() && due > now) {
    entry.state = Entry::State::delayed;
    delayed_.emplace(due, ordinal);
  } else {
    entry.state = Entry::State::ready;
    again_.push(ordinal);
  }
}

std::optional<Ordinal> RowWindow::next_ready(Instant now, Ordinal end) {
  while (!delayed_.empty() && delayed_.top().first <= now) {
    at(delayed_.top().second).state = Entry::State::ready;
    again_.push(delayed_.top().second);
    delayed_.pop();
  }
  const Ordinal fresh = fresh_.empty() ? end : fresh_.front();
  const Ordinal again = again_.empty() ? end : again_.top();
  const Ordinal next = std::min(fresh, again);
  if (next >= end) return std::nullopt;
  return next;
}

void RowWindow::submitted(Ordinal ordinal, Instant now) {
  if (!fresh_.empty() && fresh_.front() == ordinal) {
    fresh_.pop_front();
  } else {
    assert(!again_.empty() && again_.top() == ordinal);
    again_.pop();
  }
  Entry& entry = at(ordinal);
  entry.state = Entry::State::in_flight;
  entry.submitted = now;
  ++in_flight_;
}

void RowWindow::done(Ordinal ordinal, Instant now) {
  Entry& entry = leave_flight(ordinal);
  entry.state = Entry::State::done;
  if (entry.follower != 0)
    make_ready(entry.follower, now);
  else if (entry.chained)
    last_of_key_.erase(entry.key_hash);
  if (ordinal == first_) pass_done();
}

void RowWindow::put_back(Ordinal ordinal) {
  leave_flight(ordinal).state = Entry::State::ready;
  again_.push(ordinal);
}

void RowWindow::delay(Ordinal ordinal, Instant when) {
  leave_flight(ordinal).state = Entry::State::delayed;
  delayed_.emplace(when, ordinal);
}

RowWindow::Entry& RowWindow::leave_flight(Ordinal ordinal) {
  assert(holds(ordinal));
  Entry& entry = at(ordinal);
  assert(entry.state == Entry::State::in_flight);
  --in_flight_;
  return entry;
}

Mark RowWindow::mark() const {
  return passed_any_ ? Mark{batches_.front().batch.window, passed_seq_} : batch_mark_;
}

std::optional<Instant> RowWindow::next_due() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.top().first;
}

void RowWindow::pass_done() {
  for (;;) {
    if (!batches_.empty() && batches_.front().end <= first_) {
      Batch& batch = batches_.front().batch;
      moved_ = moved_ || !batch.messages.empty();
      bytes_ -= batch.bytes;
      batch_mark_ = std::move(batch.end);
      passed_any_ = false;
      batches_.pop_front();
    } else if (!entries_.empty() && entries_.front().state == Entry::State::done) {
      passed_seq_ = entries_.front().message->seq;
      passed_any_ = moved_ = true;
      entries_.pop_front();
      ++first_;
    } else {
      return;
    }
  }
}

void RowWindow::clear(const Mark& mark) {
  assert(in_flight_ == 0);
  first_ += entries_.size();
  entries_.clear();
  batches_.clear();
  fresh_.clear();
  again_ = {};
  delayed_ = {};
  last_of_key_.clear();
  batch_mark_ = mark;
  passed_any_ = moved_ = false;
  bytes_ = 0;
}

}  // namespace outbox
