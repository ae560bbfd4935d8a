// The rows between the saved mark and the place where the next read begins: which may be published, which are
// with the broker, how far the mark may move. Owned by the relay; pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/message.h"
#include "core/topics.h"

namespace outbox {

/// Numbers the rows that the route takes, in publishing order; serves as ticket. Never goes back.
using Ordinal = std::uint64_t;

class RowWindow {
 public:
  struct Entry {
    const Message* message = nullptr;
    Instant born{};  ///< created_at on the local monotonic clock
    Instant submitted{};
    std::uint64_t key_hash = 0;
    Ordinal follower = 0;  ///< the next row of the same key, 0: none
    std::uint16_t attempts = 0;
    bool chained = false;  ///< later rows of its key wait for it
    enum class State : std::uint8_t {
      following,  ///< an earlier row of its key is not done
      ready,
      in_flight,
      delayed,  ///< waits for deliver_at or its back-off
      done,
    } state = State::ready;
  };

  /// key_serial: a row waits until the rows of its key before it are done; otherwise the broker itself keeps
  /// the order of what is pipelined, and rows are ready in the order of the log.
  explicit RowWindow(bool key_serial);

  /// Takes over a batch; rows that `topics` does not take are passed. Returns how many were taken.
  std::size_t add(Batch batch, Instant now, const Topics& topics);

  /// The first row in the order of the log that may be published now, if its ordinal is below `end`.
  std::optional<Ordinal> next_ready(Instant now, Ordinal end);

  /// What next_ready() gave is now with the broker.
  void submitted(Ordinal ordinal, Instant now);

  /// Accepted: its follower becomes ready, the mark may move.
  void done(Ordinal ordinal, Instant now);

  /// Came back from the broker: ready again.
  void put_back(Ordinal ordinal);

  /// Came back from the broker: not before `when`.
  void delay(Ordinal ordinal, Instant when);

  /// Everything before this ordinal is done.
  [[nodiscard]] Ordinal done_end() const { return first_; }

  /// The mark behind everything that is done.
  [[nodiscard]] Mark mark() const;

  /// True since a row was passed after the last call of take_moved().
  bool take_moved() { return std::exchange(moved_, false); }

  /// When the first delayed row is due.
  [[nodiscard]] std::optional<Instant> next_due() const;

  [[nodiscard]] Entry& at(Ordinal ordinal) { return entries_[static_cast<std::size_t>(ordinal - first_)]; }
  [[nodiscard]] bool holds(Ordinal ordinal) const {
    return ordinal >= first_ && ordinal < first_ + entries_.size();
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] const Entry& front() const { return entries_.front(); }

  /// Forgets all rows and starts over from `mark`. Precondition: nothing is in flight.
  void clear(const Mark& mark);

 private:
  struct Source {
    Batch batch;
    Ordinal end = 0;  ///< one past the batch's last row that was taken
  };
  using Delayed = std::pair<Instant, Ordinal>;

  void add_row(const Message& message, Instant now);
  Entry& leave_flight(Ordinal ordinal);
  void make_ready(Ordinal ordinal, Instant now);
  void pass_done();

  const bool key_serial_;
  std::deque<Source> batches_;
  std::deque<Entry> entries_;
  Ordinal first_ = 1;          ///< of entries_.front()
  std::deque<Ordinal> fresh_;  ///< ready since they were read: ascending by themselves
  std::priority_queue<Ordinal, std::vector<Ordinal>, std::greater<>>
      again_;  ///< ready later than they were read
  std::priority_queue<Delayed, std::vector<Delayed>, std::greater<>> delayed_;
  std::unordered_map<std::uint64_t, Ordinal>
      last_of_key_;              ///< keys by hash: two keys of one hash only wait for each other
  Mark batch_mark_;              ///< the end of the last batch that is done as a whole
  std::int64_t passed_seq_ = 0;  ///< the last row passed of the batch at the front
  bool passed_any_ = false;      ///< whether there is such a row
  std::size_t bytes_ = 0;
  std::size_t in_flight_ = 0;
  bool moved_ = false;
};

}  // namespace outbox
