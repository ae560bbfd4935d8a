// Port: everything that is asked of a database beside the lanes' own sessions: what commands do to it, what
// operators do to a route and its held rows, and what a relay process keeps up. Each change of an operator is
// one transaction with its line in outbox_audit; a dry run changes nothing and leaves no line. Blocking; each
// object belongs to the thread that made it. Adapters: adapters/stores/<name>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/message.h"
#include "core/store.h"

namespace outbox {

/// One line of `outboxd check`.
struct Finding {
  enum class Level { ok, warning, fault };
  Level level = Level::ok;
  std::string what;
  std::string fix;  ///< what to do about it; empty when ok
};

/// What `outboxd send` inserts.
struct NewRow {
  std::optional<std::string> id;  ///< default: the database draws one
  std::string topic;
  std::optional<std::string> key;
  std::optional<std::string> type;
  std::string payload;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> deliver_at;  ///< RFC 3339
};

/// One migration, as files say and as the database says.
struct Migration {
  int version = 0;
  std::string name;
  std::string checksum;  ///< SHA-256 of the .up.sql, hex
  std::string up;
  std::string down;
};

struct AppliedMigration {
  int version = 0;
  std::string name;
  std::string checksum;
  std::string applied_at;  ///< RFC 3339
};

/// Which held rows; what is not set does not matter.
struct HeldFilter {
  std::optional<std::string> route;
  std::vector<std::int64_t> seqs;  ///< empty: any
  std::optional<HeldState> state;
  std::optional<std::string> key;
  std::optional<std::string> topic;
};

/// Of a row's headers, in characters, nobody shows more.
inline constexpr std::size_t headers_shown_max = 64 * 1024;

/// One held row for people, its texts as cut() leaves them. Times are RFC 3339, empty when not set. What
/// comes from the outbox is empty when its row is gone.
struct HeldEntry {
  std::string route;
  std::int64_t seq = 0;
  int shard = 0;
  std::string id;
  std::string topic;
  std::optional<std::string> key;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  std::string next_attempt_at;
  std::string last_error;
  std::string held_at;
  std::string first_failed_at;
  std::string last_failed_at;
};

/// Where the next page of a list begins: behind this row.
struct ListPlace {
  std::string route;
  std::int64_t seq = 0;
};

/// A row of the outbox for people, its texts as cut() leaves them.
struct MessageDetails {
  std::int64_t seq = 0;
  std::string id;
  std::string topic;
  std::optional<std::string> key;
  std::string type;
  std::string content_type;
  std::string headers;  ///< as the row has them, JSON text; those that are too long not to their end
  std::string created_at;
  std::string deliver_at;
  std::int64_t payload_bytes = 0;
  std::string payload;                                      ///< only when asked for
  std::vector<std::pair<std::string, std::string>> routes;  ///< route and state, as in outbox_status
};

enum class HeldAction {
  requeue,  ///< tried again at once, attempts begin anew; per key in order among those requeued
  discard,  ///< never delivered; the row itself goes with retention, one that no route takes goes at once
};

struct Matched {
  std::int64_t matched = 0;
  std::int64_t changed = 0;  ///< 0 in a dry run
};

/// Where a mark is put.
struct MarkPlace {
  enum class Kind { oldest, now, seq, time } kind = Kind::oldest;
  std::int64_t seq = 0;  ///< the first row that goes out again
  std::string time;      ///< RFC 3339: rows created from then on go out again
};

/// Rows that a route has not settled.
struct Backlog {
  std::int64_t pending = 0;
  Duration oldest_age{};  ///< of the oldest of them, by the database's clock; 0 when there is none
};

/// Held rows of one state.
struct HeldCount {
  std::int64_t rows = 0;
  Duration oldest_age{};  ///< of the oldest of them, by the database's clock

  friend bool operator==(const HeldCount&, const HeldCount&) = default;
};

/// How long the oldest row waits that is to go out by itself, whatever holds it.
inline Duration oldest_waiting(const Backlog& backlog, const std::map<HeldState, HeldCount>& held) {
  Duration oldest = backlog.oldest_age;
  for (const auto& [state, count] : held)
    if (state == HeldState::retrying || state == HeldState::blocked)
      oldest = std::max(oldest, count.oldest_age);
  return oldest;
}

/// One row of outbox_mark.
struct RouteShard {
  std::string route;
  int shard = 0;
  std::string owner;  ///< empty: nobody holds the lease
  std::int64_t epoch = 0;
  bool paused = false;
  std::int64_t held_version = 0;  ///< moves when an operator has changed what is held
  std::int64_t beat = 0;          ///< moves while the owner lives
  std::string topics = {};        ///< what the route takes, as the database keeps it
  Duration retention{};           ///< how long the relay that last held it wants sent rows kept
};

/// A key that waits for its first held row.
struct BlockedKey {
  std::string key;       ///< as cut() leaves it
  std::int64_t seq = 0;  ///< of that row
  std::string id;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  std::string last_error;
  Duration age{};         ///< since that row was held, by the database's clock
  std::int64_t rows = 0;  ///< that wait, itself included
};

/// A topic that the broker did not take, when it was last tried.
struct WaitingTopic {
  std::string topic;
  std::string reason;
  Duration age{};         ///< since the first of its rows was held, by the database's clock
  std::int64_t rows = 0;  ///< that wait for it, without those behind them
};

/// How long rows are kept that nobody waits for.
struct Retention {
  Duration sent{};               ///< since every mark has passed them, by the database's clock
  std::optional<Duration> dead;  ///< since the last attempt; nullopt: until an operator decides
  std::size_t rows_max = 1000;   ///< looked at in one transaction
};

struct Removed {
  std::size_t rows = 0;
  bool more = false;  ///< the next chunk may be removed at once
};

/// One relay process, whether it holds a lease or stands by.
struct RelayMember {
  std::string owner;
  std::int64_t beat = 0;  ///< moves while it lives
  Duration unseen{};      ///< since it has moved, by the database's clock
};

class Admin {
 public:
  virtual ~Admin() = default;

  // ---- commands ----

  /// Server, tables, columns, grants: one finding each. Errors: unavailable when the database cannot be
  /// reached.
  virtual Result<std::vector<Finding>> check() = 0;

  /// Inserts one row in a transaction of its own; the row's id.
  virtual Result<std::string> send(const NewRow& row) = 0;

  /// For benchmarks: inserts `count` rows like `row`, in transactions of many rows, each with an id of its
  /// own. `keys` > 0: with so many different keys in turn, key-0, key-1, ... On failure some may be there.
  virtual Result<void> send_many(const NewRow& row, std::int64_t count, std::int64_t keys) = 0;

  /// Migrations applied so far, by version; empty when there are none.
  virtual Result<std::vector<AppliedMigration>> migrations() = 0;

  /// Applies one migration and its record in one transaction; waits for other processes that migrate. False:
  /// another process has applied it meanwhile.
  virtual Result<bool> apply(const Migration& migration) = 0;

  /// Reverts one. Refused when rows would be dropped that are not sent, unless `force`.
  virtual Result<void> revert(const Migration& migration, bool force) = 0;

  // ---- operators ----

  /// In the order of route and seq, from behind `after`.
  virtual Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<ListPlace>& after,
                                              std::size_t rows_max) = 0;

  /// nullopt: there is no such row. `id` or `seq`, whichever is set.
  virtual Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                        std::optional<std::int64_t> seq,
                                                        bool with_payload) = 0;

  /// At most `rows_max` rows, the oldest first. Running relays hear of it within a second. A row that is
  /// being published at this moment may arrive although it is discarded.
  virtual Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                                      bool dry_run, const std::string& actor) = 0;

  /// Persisted; running relays notice within a second or at their next renewal. Errors: refused (no such
  /// route).
  virtual Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) = 0;

  /// The route delivers again what is retained from there on, once more and in order; its lease is taken from
  /// whoever holds it. Rows that it has not sent yet are never skipped. How many rows lie behind the place.
  /// Errors: refused (no such route, no such place, kind now).
  virtual Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) = 0;

  /// After a restore or a move: puts the mark where the operator says, also ahead, and vouches for the
  /// database as it is now. nullopt: every route. Errors: refused (no such route).
  virtual Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) = 0;

  /// Forgets where the route stands and what is held of it, unrouted rows excepted. Rows that it alone was
  /// still to come across are unrouted from now on. `idle`: shards whose owner the caller has seen do nothing
  /// for a lease. How many held rows there were. Errors: refused (no such route, a relay holds its lease).
  virtual Result<Matched> drop_route(const std::string& route, const std::vector<RouteShard>& idle,
                                     bool dry_run, const std::string& actor) = 0;

  /// Only writes down what somebody had a relay do that changes nothing in the database, such as a reload.
  virtual Result<void> note(const std::string& action, const std::string& actor) = 0;

  // ---- upkeep ----

  /// Every route and shard that has a mark.
  virtual Result<std::vector<RouteShard>> routes() = 0;

  /// What the route has not settled, all shards together. Counts exactly; may take long on a large backlog,
  /// so ask seldom.
  virtual Result<Backlog> backlog(const std::string& route) = 0;

  /// Rows of outbox_held by state, and since when the oldest of each waits: since it was committed, as far as
  /// services date their rows right. A state without rows is left out.
  virtual Result<std::map<HeldState, HeldCount>> held_counts(const std::string& route) = 0;

  /// Keys that wait, those that have waited longest first.
  virtual Result<std::vector<BlockedKey>> blocked_keys(const std::string& route, std::size_t keys_max) = 0;

  /// Topics that rows wait for, those with most rows first.
  virtual Result<std::vector<WaitingTopic>> waiting_topics(const std::string& route,
                                                           std::size_t topics_max) = 0;

  /// One chunk: rows that every mark has passed, long enough ago, and that nobody holds. When that was is
  /// kept in the database, with the precision of an eighth of the retention; where marks were put back it
  /// begins anew. The next call goes on behind the chunk, and begins anew after more == false. Never waits
  /// for a service and never makes one wait for more than the chunk.
  virtual Result<Removed> remove_sent(const Retention& retention) = 0;

  /// Of the first row that the outbox has and nobody holds; 0: there is none.
  virtual Result<Duration> oldest_row_age() = 0;

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
