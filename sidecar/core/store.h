// Port: one relay session on one database for one route and shard. Every call may block on the database; all
// calls come from one thread, except wake(). Adapters: adapters/stores/<name>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "core/message.h"

namespace outbox {

/// The right to publish one shard of one route. Every write carries the epoch; the database refuses an old
/// one.
struct Lease {
  std::string route;
  int shard = 0;
  std::int64_t epoch = 0;
};

/// Where a route begins that has no mark yet.
enum class Start { oldest, now };

/// Somebody holds the lease. `beat` moves whenever the holder renews or settles: an observer that sees it
/// unmoved for the lease's length, by its own monotonic clock, may take over.
struct LeaseHolder {
  std::string owner;
  std::int64_t epoch = 0;
  std::int64_t beat = 0;

  friend bool operator==(const LeaseHolder&, const LeaseHolder&) = default;
};

struct LeaseRequest {
  std::string route;
  int shard = 0;
  std::string owner;                        ///< this relay, unique in every run
  Start start = Start::oldest;              ///< used when the route has no mark yet
  std::optional<LeaseHolder> expired;       ///< take over from this holder if the row is still exactly so
  int shards = 1;                           ///< how many shards the route has
  std::vector<std::string> topics = {"*"};  ///< what the route takes; kept beside the mark for outbox_status
  Duration retention{};                     ///< how long sent rows are to be kept; kept beside the mark
};

/// Which rows an operator has had sent again: whoever deduplicates must not take them for the same attempt.
struct Replays {
  int number = 0;          ///< of the last replay; 0: there was none
  std::int64_t up_to = 0;  ///< a seq: no row behind it had been published when that began

  [[nodiscard]] int of(std::int64_t seq) const { return seq <= up_to ? number : 0; }
};

struct Granted {
  Lease lease;
  Mark mark;
  bool paused = false;  ///< an operator paused the route; persisted
  Replays replays{};
  std::string reset = {};  ///< why the mark was put back to the oldest row just now; empty: it was not
};

using Acquired = std::variant<Granted, LeaseHolder>;

inline constexpr std::size_t texts_max_default = 64 * 1024;

struct ReadLimit {
  std::size_t messages_max = 0;
  std::size_t bytes_max = 0;  ///< the batch ends with the row that reaches it; at least one row is returned
  std::size_t texts_max =
      texts_max_default;  ///< bytes of a row beside its payload; more: a defect, see BatchBuilder
};

/// A row that the mark has passed although no broker has accepted it.
enum class HeldState {
  retrying,   ///< the first of its key; its time comes after a back-off
  blocked,    ///< waits behind an earlier held row of its key
  scheduled,  ///< its time is its deliver_at; it has left its key's order and holds nobody back
  dead,       ///< nobody tries it again but on an operator's word
  unrouted,   ///< no route takes its topic
};

constexpr std::string_view name_of(HeldState state) {
  switch (state) {
    case HeldState::retrying:
      return "retrying";
    case HeldState::blocked:
      return "blocked";
    case HeldState::scheduled:
      return "scheduled";
    case HeldState::dead:
      return "dead";
    case HeldState::unrouted:
      return "unrouted";
  }
  return "";
}

/// What outbox_held says of one row.
struct Hold {
  std::int64_t seq = 0;
  std::optional<std::string> key;
  HeldState state = HeldState::retrying;
  bool blocks = true;  ///< later rows of its key wait for it
  int attempts = 0;
  std::optional<Duration>
      due_in;  ///< until it may be tried, by the database's clock; nullopt: no time is set
  std::string last_error;
  std::string topic;  ///< of an unrouted row; else it waits for this topic to be mended, or empty
};

struct HeldRow {
  std::int64_t seq = 0;
  std::optional<std::string> key;
};

/// What a settle writes beside the mark. After each, the first row of a key that blocks it is never
/// `blocked`: whoever takes the row before it away makes it retrying and due at once.
struct HeldWrites {
  std::vector<Hold> holds;  ///< rows that the mark passes with this settle
  std::vector<Hold>
      changes;  ///< held rows after one more attempt; what an operator removed meanwhile stays removed
  std::vector<HeldRow> removals;         ///< held rows that the broker has accepted
  std::vector<std::string> mended = {};  ///< topics: the rows that wait for them are due now

  [[nodiscard]] bool empty() const {
    return holds.empty() && changes.empty() && removals.empty() && mended.empty();
  }
};

/// What is held of a route and shard.
struct HeldKeys {
  std::vector<std::string> blocked;     ///< keys with a row that blocks them, each once
  std::int64_t rows_total = 0;          ///< in any state
  std::int64_t rows_unrouted = 0;       ///< of them
  std::optional<Duration> next_due_in;  ///< until the first of them is due; nullopt: none waits for a time
  std::vector<std::string> routed_elsewhere = {};  ///< patterns: what the database's other routes take
};

/// What a settle has found out.
struct Settled {
  std::vector<std::string>
      freed;  ///< keys of the rows written that have no row left that blocks them, each once
};

struct HeldFacts {
  int attempts = 0;
  bool blocks = true;  ///< as in Hold
};

/// Held rows whose time has come, each followed by the rows of its key that wait directly behind it, in
/// order. A row that blocks nobody is among them once no row before it blocks its key.
struct HeldBatch {
  Batch rows;
  std::vector<HeldFacts> facts;  ///< of each message
  bool more_keys = false;        ///< keys beyond those of this batch were due at the time of the read
  std::optional<Duration>
      next_due_in;  ///< as in HeldKeys, without the rows of this batch; zero: more are due
};

/// Why a wait ended.
enum class Woken {
  notified,     ///< something may have been committed
  timeout,      ///< nothing was seen; a poll is due all the same
  interrupted,  ///< wake() was called
};

class Store {
 public:
  virtual ~Store() = default;

  /// Connects when not connected, checks server, tables and grants, and takes the lease if nobody holds it,
  /// if this owner does, if its holder is provably gone, or if `expired` still describes the row. The epoch
  /// grows with every grant. The mark is the saved one: positions in memory die with the session that made
  /// them. Where the marks of the route were made for another number of shards, they are made anew, each at
  /// the earliest of the old ones, once nobody holds one of those: until then somebody who does is the
  /// answer. Errors: unavailable; misconfigured (names the table, column or grant and the fix).
  virtual Result<Acquired> acquire(const LeaseRequest& request) = 0;

  /// Moves the beat. Errors: fenced; unavailable (the session is over: acquire again).
  virtual Result<void> renew(const Lease& lease) = 0;

  /// Gives the lease back at once, so that another relay need not wait for it to expire. Errors: fenced,
  /// unavailable.
  virtual Result<void> release(const Lease& lease) = 0;

  /// The committed rows after `after`, per key in commit order, up to `limit`. An empty batch with more ==
  /// false: caught up. Errors: unavailable (the session is over: acquire again); misconfigured (ditto).
  virtual Result<Batch> read(const Mark& after, const ReadLimit& limit) = 0;

  /// One transaction: saves the mark, writes what is held, moves the beat, if the lease's epoch is still the
  /// row's. Errors: fenced (nothing was written); unavailable (unknown whether it was written; the session is
  /// over).
  virtual Result<Settled> settle(const Lease& lease, const Mark& mark, const HeldWrites& held) = 0;

  /// What is held of this route and shard. Errors: unavailable.
  virtual Result<HeldKeys> held_keys(const Lease& lease) = 0;

  /// Those that are due, the longest due first, and what follows them, up to `limit`. A row that is gone from
  /// the outbox has a defect that says so. Errors: unavailable.
  virtual Result<HeldBatch> read_held(const Lease& lease, const ReadLimit& limit) = 0;

  /// Returns when something may have been committed since the last read, when wake() is called, or after
  /// `timeout`. Spurious returns are allowed, missed commits are not beyond the store's safety poll (<= 100
  /// ms).
  virtual Result<Woken> wait(Duration timeout) = 0;

  /// Ends a running or the next wait. Any thread; does not block.
  virtual void wake() noexcept = 0;
};

}  // namespace outbox
