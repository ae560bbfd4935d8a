// Port: what a relay process asks of its database beside the lanes' own sessions: pause flags, backlog, what
// is held, retention, which relays there are. Blocking; each object belongs to the thread that made it.
// Adapters: adapters/stores/<name>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/message.h"
#include "core/store.h"

namespace outbox {

/// Rows that a route has not settled.
struct Backlog {
  std::int64_t pending = 0;
  Duration oldest_age{};  ///< of the oldest of them, by the database's clock; 0 when there is none
};

/// One row of outbox_mark.
struct RouteShard {
  std::string route;
  int shard = 0;
  std::string owner;  ///< empty: nobody holds the lease
  std::int64_t epoch = 0;
  bool paused = false;
  std::int64_t held_version = 0;  ///< moves when an operator has changed what is held
};

/// A key that waits for its first held row.
struct BlockedKey {
  std::string key;
  std::int64_t seq = 0;  ///< of that row
  std::string id;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  std::string last_error;
  Duration age{};         ///< since that row was held, by the database's clock
  std::int64_t rows = 0;  ///< that wait, itself included
};

/// How long rows are kept that nobody waits for.
struct Retention {
  Duration sent{};               ///< since created_at, by the database's clock
  std::optional<Duration> dead;  ///< since the last attempt; nullopt: until an operator decides
  std::size_t rows_max = 1000;   ///< looked at in one transaction
};

struct Removed {
  std::size_t rows = 0;
  bool more = false;  ///< the next chunk may be removed at once
};

/// One relay process that takes part in sharing out the shards.
struct RelayMember {
  std::string owner;
  std::int64_t beat = 0;  ///< moves while it lives
};

class Upkeep {
 public:
  virtual ~Upkeep() = default;

  /// Every route and shard that has a mark.
  virtual Result<std::vector<RouteShard>> routes() = 0;

  /// What the route has not settled, all shards together. Counts exactly; may take long on a large backlog,
  /// so ask seldom.
  virtual Result<Backlog> backlog(const std::string& route) = 0;

  /// Rows of outbox_held by state; a state without rows is left out.
  virtual Result<std::map<HeldState, std::int64_t>> held(const std::string& route) = 0;

  /// Keys that wait, those that have waited longest first.
  virtual Result<std::vector<BlockedKey>> blocked_keys(const std::string& route, std::size_t keys_max) = 0;

  /// One chunk: rows that every mark has passed, that nobody holds and that are old enough. The next call
  /// goes on behind it, and begins anew after more == false. Never waits for a service and never makes one
  /// wait for more than the chunk.
  virtual Result<Removed> remove_sent(const Retention& retention) = 0;

  /// The topics of the rows that are held as unrouted, each once.
  virtual Result<std::vector<std::string>> unrouted_topics() = 0;

  /// The route takes these topics now. Unrouted rows of them that its mark has passed become held rows of it,
  /// due at once and in order; those that it will come across by itself are only let go. How many there were.
  /// Nothing happens while the route has no mark.
  virtual Result<std::int64_t> adopt(const std::string& route, const std::vector<std::string>& topics) = 0;

  /// Moves this relay's beat and returns all members, itself included. The beats of members that have gone
  /// stay where they are; one that has not moved for a day may be forgotten.
  virtual Result<std::vector<RelayMember>> join(const std::string& owner) = 0;
  virtual Result<void> leave(const std::string& owner) = 0;
};

}  // namespace outbox
