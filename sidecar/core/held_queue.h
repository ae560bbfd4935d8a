// The held rows that were read back for another attempt: which may be published, which are with the broker,
// what is to be written of them. At most one row of a key is with the broker at a time. Owned by the relay;
// pure.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "core/judge.h"
#include "core/message.h"
#include "core/store.h"
#include "core/verdict.h"

namespace outbox {

class HeldQueue {
 public:
  /// Tickets of held rows are told from those of the log by their highest bit.
  static constexpr Ticket first_ticket = Ticket{1} << 63;
  static constexpr bool owns(Ticket ticket) { return ticket >= first_ticket; }

  /// Precondition: idle().
  void load(HeldBatch batch, Instant now);

  /// Nothing is loaded and nothing is to be written.
  [[nodiscard]] bool idle() const { return open_ == 0 && !has_results(); }
  [[nodiscard]] bool has_results() const { return !changes_.empty() || !removals_.empty(); }

  /// Loaded rows whose fate is open.
  [[nodiscard]] std::size_t size() const { return open_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

  /// Rows handed over whose fate is not written yet: a crash now repeats them.
  [[nodiscard]] std::size_t exposed() const { return exposed_; }
  [[nodiscard]] bool is_exposed(Ticket ticket) const { return at(ticket).exposed; }
  /// What take_results() gave is written.
  void results_are_saved() {
    if (idle()) exposed_ = 0;
  }

  [[nodiscard]] std::optional<Ticket> next_ready() const;
  /// What next_ready() gave is now with the broker.
  void submitted(Ticket ticket, Submitted when);

  /// The next row of its key becomes ready.
  void accepted(Ticket ticket);
  void put_back(Ticket ticket);
  /// Turned away, or never submitted because of a defect. What follows of its key is left to the database.
  void failed(Ticket ticket, Hold change, std::optional<Instant> due);

  [[nodiscard]] const Message& message(Ticket ticket) const { return *at(ticket).message; }
  [[nodiscard]] int attempts(Ticket ticket) const { return at(ticket).facts.attempts; }
  [[nodiscard]] Instant born(Ticket ticket) const { return loaded_at_ - message(ticket).age; }
  [[nodiscard]] const Submitted& submitted_at(Ticket ticket) const { return at(ticket).submitted; }

  /// Moves what is to be written into `writes`; due times are reckoned from `now`.
  void take_results(Instant now, HeldWrites& writes);

  /// Forgets everything. Precondition: nothing is in flight.
  void clear();

 private:
  struct Entry {
    const Message* message = nullptr;
    Submitted submitted;
    HeldFacts facts;
    bool exposed = false;
    std::size_t follower = 0;  ///< index of the next row of its key, 0: none
    enum class State : std::uint8_t { following, ready, in_flight, done } state = State::ready;
  };
  struct Change {
    Hold hold;
    std::optional<Instant> due;
  };

  static std::size_t index_of(Ticket ticket) { return static_cast<std::size_t>(ticket - first_ticket); }
  [[nodiscard]] Entry& at(Ticket ticket) { return entries_.at(index_of(ticket)); }
  [[nodiscard]] const Entry& at(Ticket ticket) const { return entries_.at(index_of(ticket)); }
  void finish(Entry& entry);
  void leave_to_database(std::size_t index);

  std::shared_ptr<const void> memory_;
  std::vector<Message> messages_;
  std::vector<Entry> entries_;
  std::deque<std::size_t> ready_;
  Instant loaded_at_{};
  std::size_t open_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t exposed_ = 0;
  std::vector<Change> changes_;
  std::vector<HeldRow> removals_;
};

/// What outbox_held says of this message, in this state, without a time.
Hold hold_of(const Message& message, HeldState state, bool blocks);

}  // namespace outbox
