// The rows between the saved mark and the place where the next read begins: which may be published, which are
// with the broker, how far the mark may move. Owned by the relay; pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/judge.h"
#include "core/message.h"
#include "core/store.h"
#include "core/topics.h"

namespace outbox {

/// Numbers the rows that the route takes, in publishing order; serves as ticket. Never goes back.
using Ordinal = std::uint64_t;

/// A key of which a row was held, and whether that row blocks it.
struct HeldKey {
  std::string key;
  bool blocks = true;
};

class RowQueue {
 public:
  struct Entry {
    const Message* message = nullptr;
    Instant born{};  ///< created_at on the local monotonic clock
    Submitted submitted;
    std::uint64_t key_hash = 0;
    Ordinal follower = 0;  ///< the next row of the same key, 0: none
    bool chained = false;  ///< later rows of its key wait for it
    enum class State : std::uint8_t {
      following,  ///< an earlier row of its key is not done
      ready,
      in_flight,
      aside,  ///< ready, but another key's is to go first
      held,   ///< goes to outbox_held with the settle that passes it
      done,
    } state = State::ready;
  };

  /// key_serial: a row waits until the rows of its key before it are done; otherwise the broker itself keeps
  /// the order of what is pipelined, and rows are ready in the order of the log.
  explicit RowQueue(bool key_serial);

  /// Takes over a batch; rows that are not this relay's are passed. Held at once are rows whose time is still
  /// to come, which leave their key's order, those behind a held row of their key, and those that no route
  /// takes. Returns how many of the last there were.
  std::size_t add(Batch batch, Instant now, const RowFilter& filter);

  /// The first row in the order of the log that may be published now, if its ordinal is below `end`.
  std::optional<Ordinal> next_ready(Ordinal end);

  /// What next_ready() gave is now with the broker.
  void submitted(Ordinal ordinal, Submitted when);

  /// Accepted: its follower becomes ready, the mark may move.
  void done(Ordinal ordinal);

  /// Came back from the broker: ready again.
  void put_back(Ordinal ordinal);

  /// Came back from the broker: it, and what is ready of its key, lets all others go first, until
  /// recall_aside().
  void put_aside(Ordinal ordinal);
  void recall_aside();
  [[nodiscard]] bool has_aside() const { return !aside_.empty(); }
  [[nodiscard]] Ordinal first_aside() const { return aside_.front(); }

  /// Came back from the broker, or is ready: the mark may pass it once it is written to outbox_held. All
  /// later rows of its key are held behind it.
  void hold(Ordinal ordinal, Hold hold, std::optional<Instant> due = {});

  /// An earlier row of its key is held.
  [[nodiscard]] bool is_behind_held(Ordinal ordinal) const;

  /// The database holds rows that block these keys, and no others: their later rows go there too.
  /// Precondition: no settle is outstanding.
  void stored_keys_are(std::vector<std::string> keys);
  [[nodiscard]] bool is_stored(const std::string& key) const;

  /// Some row is held, and take_held() has not given it yet.
  [[nodiscard]] bool has_held() const { return !held_.empty() || !passed_held_.empty(); }

  /// What the mark has passed since the last call and must be written with it; due times are reckoned from
  /// `now`.
  [[nodiscard]] std::vector<Hold> take_held(Instant now);

  /// What waits for the topic and was not given to take_held() yet is due at once.
  void topic_is_mended(std::string_view topic, Instant now);

  /// What take_held() gave is written, and the database holds no rows of `freed` any more.
  void held_is_saved(const std::vector<HeldKey>& holds, const std::vector<std::string>& freed);

  /// Everything before this ordinal is done or held.
  [[nodiscard]] Ordinal done_end() const { return first_; }

  /// The mark behind everything that is done or held.
  [[nodiscard]] Mark mark() const;

  /// It is not where take_mark() left it.
  [[nodiscard]] bool moved() const { return moved_; }
  Mark take_mark() {
    moved_ = false;
    return mark();
  }

  [[nodiscard]] Entry& at(Ordinal ordinal) { return entries_[static_cast<std::size_t>(ordinal - first_)]; }
  [[nodiscard]] const Entry& at(Ordinal ordinal) const {
    return entries_[static_cast<std::size_t>(ordinal - first_)];
  }
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
  struct PendingHold {
    Hold hold;
    std::optional<Instant> due;
  };
  struct KeyState {
    std::size_t pending = 0;    ///< held rows that are not written yet
    Ordinal first_pending = 0;  ///< the first of them; or one that was written before
    bool stored = false;        ///< the database holds rows that block it
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return key_hash(key); }
  };

  void add_row(const Message& message, Instant now);
  void add_unrouted(const Message& message);
  void set_apart(Ordinal ordinal, HeldState state, std::optional<Instant> due);
  bool chain(Entry& entry, Ordinal ordinal);
  void block(Ordinal ordinal);
  void hold_followers(Entry& entry, Ordinal ordinal);
  KeyState& pend(std::string_view key, Ordinal ordinal);
  void forget_unless_held(const std::string& name);
  [[nodiscard]] bool is_ready(Ordinal ordinal);
  Entry& leave_flight(Ordinal ordinal);
  void make_ready(Ordinal ordinal);
  void pass_done();

  const bool key_serial_;
  std::deque<Source> batches_;
  std::deque<Entry> entries_;
  Ordinal first_ = 1;          ///< of entries_.front()
  std::deque<Ordinal> fresh_;  ///< ready since they were read: ascending by themselves
  std::priority_queue<Ordinal, std::vector<Ordinal>, std::greater<>>
      again_;                                      ///< ready later than they were read
                                                   // both may name rows that were held meanwhile
  std::vector<Ordinal> aside_;                     ///< in the order in which they were put there
  std::unordered_set<std::string> aside_keys_;     ///< where no row waits for another by itself
  std::unordered_map<Ordinal, PendingHold> held_;  ///< of the entries that are held
  std::vector<PendingHold> passed_held_;           ///< of those that the mark has passed since take_held()
  std::unordered_map<std::string, KeyState, KeyHash, std::equal_to<>> held_keys_;
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
