// Port: one relay session on one database for one route and shard. Every call may block on the database; all
// calls come from one thread, except wake(). Adapters: adapters/stores/<name>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "core/message.h"
#include "core/result.h"

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
  std::string owner;                   ///< this relay, unique in every run
  Start start = Start::oldest;         ///< used when the route has no mark yet
  std::optional<LeaseHolder> expired;  ///< take over from this holder if the row is still exactly so
};

struct Granted {
  Lease lease;
  Mark mark;
  bool paused = false;  ///< an operator paused the route; persisted
};

using Acquired = std::variant<Granted, LeaseHolder>;

struct ReadLimit {
  std::size_t messages_max = 0;
  std::size_t bytes_max = 0;  ///< the batch ends with the row that reaches it; at least one row is returned
};

/// A row that the mark passes although no broker has accepted it. The core does not issue any yet: until then
/// a route with such a row stops.
enum class HeldState { retrying, blocked, scheduled, dead, unrouted };

struct Hold {
  const Message* message = nullptr;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  Duration due_in{};
  std::string last_error;
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
  /// them. Errors: unavailable; misconfigured (names the table, column or grant and the fix).
  virtual Result<Acquired> acquire(const LeaseRequest& request) = 0;

  /// Moves the beat. Errors: fenced; unavailable (the session is over: acquire again).
  virtual Result<void> renew(const Lease& lease) = 0;

  /// Gives the lease back at once, so that another relay need not wait for it to expire. Errors: fenced,
  /// unavailable.
  virtual Result<void> release(const Lease& lease) = 0;

  /// The committed rows after `after`, per key in commit order, up to `limit`. An empty batch with more ==
  /// false: caught up. Errors: unavailable (the session is over: acquire again); misconfigured (ditto).
  virtual Result<Batch> read(const Mark& after, const ReadLimit& limit) = 0;

  /// One transaction: saves the mark, stores the holds, moves the beat, if the lease's epoch is still the
  /// row's. Errors: fenced (nothing was written); unavailable (unknown whether it was written; the session is
  /// over).
  virtual Result<void> settle(const Lease& lease, const Mark& mark, std::span<const Hold> holds) = 0;

  /// Returns when something may have been committed since the last read, when wake() is called, or after
  /// `timeout`. Spurious returns are allowed, missed commits are not beyond the store's safety poll (<= 100
  /// ms).
  virtual Result<Woken> wait(Duration timeout) = 0;

  /// Ends a running or the next wait. Any thread; does not block.
  virtual void wake() noexcept = 0;
};

}  // namespace outbox
