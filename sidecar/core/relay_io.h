// What goes into the relay state machine and what comes out of it. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/broker.h"
#include "core/judge.h"
#include "core/store.h"
#include "core/topics.h"

namespace outbox {

struct RelayOptions {
  std::string route = "main";
  std::string owner;
  Start start = Start::oldest;
  RowFilter filter;
  bool counts_unrouted = false;  ///< rows that no route takes: one route of a configuration counts them

  std::size_t window = 4096;  ///< messages handed to the broker and not behind the saved mark
  std::size_t read_messages_max = 4096;
  std::size_t read_bytes_max = 4 << 20;
  std::size_t texts_max = texts_max_default;  ///< bytes of a row beside its payload
  Duration settle_interval = std::chrono::milliseconds(20);
  Duration lease = std::chrono::seconds(10);
  Duration drain_timeout = std::chrono::seconds(10);
  Duration retention{};  ///< how long sent rows are to be kept
  RetryPolicy retry;
  bool dead_blocks = false;          ///< a dead letter holds back its key until an operator decides
  std::int64_t held_max = 200'000;   ///< rows held, beyond which the route reads no further
  std::size_t held_read_max = 1024;  ///< held rows tried at a time, a quarter of the window at the most
  bool once = false;                 ///< finish when everything committed so far is settled
  Traits traits;
  std::uint64_t seed = 1;
};

// ---- events ----

struct AcquireAnswer {
  Result<Acquired> result;
};
struct RenewAnswer {
  Result<void> result;
};
struct ReleaseAnswer {
  Result<void> result;
};
struct ReadAnswer {
  Result<Batch> result;
};
struct SettleAnswer {
  Result<Settled> result;
};
struct HeldKeysAnswer {
  Result<HeldKeys> result;
};
struct ReadHeldAnswer {
  Result<HeldBatch> result;
};
struct WaitAnswer {
  Result<Woken> result;
};
/// What the broker said; the deliveries are consumed.
struct BrokerAnswer {
  Answers* answers = nullptr;
};
struct Pause {};
struct Resume {};
/// Stop reading, wait for acknowledgements, save the mark, give the lease back.
struct Stop {};
struct Tick {};
/// Somebody else saw that something was committed.
struct Nudge {};
/// An operator has changed what is held.
struct HeldChanged {};
/// Whether this relay is to hold the shard. False: it hands over what it holds, in an orderly way, and leaves
/// it to others.
struct Share {
  bool wanted = true;
};

using Event = std::variant<AcquireAnswer, RenewAnswer, ReleaseAnswer, ReadAnswer, SettleAnswer, WaitAnswer,
                           HeldKeysAnswer, ReadHeldAnswer, BrokerAnswer, Pause, Resume, Stop, Tick, Nudge,
                           HeldChanged, Share>;

// ---- commands ----

struct ReadCommand {
  Mark after;
  ReadLimit limit;
};
struct HeldKeysCommand {
  Lease lease;
};
struct ReadHeldCommand {
  Lease lease;
  ReadLimit limit;
};
struct SettleCommand {
  Lease lease;
  Mark mark;
  HeldWrites held;
};

/// Carried out in the order of the members; each store command is answered by its event, exactly once.
struct Commands {
  std::optional<LeaseRequest> acquire;
  std::optional<SettleCommand> settle;
  std::optional<Lease> renew;
  std::optional<HeldKeysCommand> held_keys;
  std::optional<ReadHeldCommand> read_held;
  std::optional<ReadCommand> read;
  std::optional<Lease> release;
  std::optional<Duration> wait;  ///< the store may sleep until something is committed, this long at the most
  bool connect = false;          ///< the broker
  std::vector<Submission> publish;
  std::optional<Instant> wake_at;  ///< send a Tick then, if nothing else happens before
  bool finished = false;           ///< nothing is left to do: the relay has stopped

  void clear() {
    acquire.reset();
    settle.reset();
    renew.reset();
    held_keys.reset();
    read_held.reset();
    read.reset();
    release.reset();
    wait.reset();
    connect = false;
    publish.clear();
    wake_at.reset();
    finished = false;
  }
};

}  // namespace outbox
