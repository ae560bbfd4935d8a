// The messages that have been published on one channel and not been confirmed, by their delivery tags: 1, 2,
// 3, ... in the order of publishing. Belongs to one broker and its thread.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "core/broker.h"

namespace outbox {

class Unconfirmed {
 public:
  struct Entry {
    Ticket ticket;
    const Message* message;
    std::uint64_t begin, end;  ///< its bytes, in the connection's count
    bool is_answered = false;
    bool is_returned = false;  ///< no queue took it: its confirm, which follows, means nothing
  };

  void push(Ticket ticket, const Message* message, std::uint64_t begin, std::uint64_t end) {
    entries_.push_back({ticket, message, begin, end});
    ++open_;
  }
  [[nodiscard]] bool empty() const { return open_ == 0; }
  /// How many have no answer.
  [[nodiscard]] std::size_t open() const { return open_; }
  /// The oldest without an answer. Precondition: not empty.
  [[nodiscard]] const Entry& oldest() const { return entries_.front(); }

  /// Answers the message of this tag, with `multiple` also all before it, and calls `use` for each. False: no
  /// such message waits.
  template <class Use>
  bool answer(std::uint64_t tag, bool multiple, Use use) {
    if (tag < first_tag_ || tag - first_tag_ >= entries_.size()) return false;
    const auto last = static_cast<std::size_t>(tag - first_tag_);
    if (entries_[last].is_answered) return false;
    for (std::size_t at = multiple ? 0 : last; at <= last; ++at) {
      Entry& entry = entries_[at];
      if (entry.is_answered) continue;
      entry.is_answered = true;
      --open_;
      use(entry);
    }
    for (; !entries_.empty() && entries_.front().is_answered; ++first_tag_) entries_.pop_front();
    return true;
  }

  /// A returned message comes without its tag: it is the first with this id and topic. False: there is none.
  bool mark_returned(std::string_view id, std::string_view topic) {
    for (Entry& entry : entries_) {
      if (entry.is_answered || entry.is_returned) continue;
      if (entry.message->id_text() != id || entry.message->topic != topic) continue;
      return entry.is_returned = true;
    }
    return false;
  }

  /// Calls `use` for each that has no answer, and begins anew with tag 1.
  template <class Use>
  void give_up(Use use) {
    for (const Entry& entry : entries_)
      if (!entry.is_answered) use(entry);
    entries_.clear();
    open_ = 0;
    first_tag_ = 1;
  }

 private:
  std::deque<Entry> entries_;  ///< the front is open, or there is none
  std::uint64_t first_tag_ = 1;
  std::size_t open_ = 0;
};

}  // namespace outbox
