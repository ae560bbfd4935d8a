// The rows of outbox_mark: taking, keeping and moving leases and marks. Every write names the epoch under
// which the lease was granted; no row changed means that somebody else holds it. Owned by the store's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/stores/sql/session.h"
#include "core/store.h"

namespace outbox::sql {

/// Where a mark is, and the stamp that tells for which database it was saved.
struct Position {
  Mark mark;
  std::optional<std::string> stamp;

  friend bool operator==(const Position&, const Position&) = default;
};

/// What a database knows of its outbox as a log. Implemented per database; on the session's thread.
class Log {
 public:
  virtual ~Log() = default;

  /// Where a new route begins.
  virtual Result<Position> beginning(Start start) = 0;

  /// What tells that the position was not made on this database as it is, so that it says nothing about what
  /// was sent: the route starts at the oldest row then, and the audit has the reason. nullopt: nothing does.
  /// Errors: misconfigured, where only an operator can decide.
  virtual Result<std::optional<std::string>> loss_behind(const std::string& route,
                                                         const Position& position) = 0;

  /// A position from which everything is read that is unread in any of these. Precondition: not empty.
  [[nodiscard]] virtual Position earliest(const std::vector<Position>& positions) const = 0;

  /// SQL for: the row h of {held} is one that the position $2 (cursor), $3 (seq) has not passed.
  [[nodiscard]] virtual std::string_view held_but_unread() const = 0;
};

/// One row of outbox_mark.
struct MarkRow {
  int shard = 0;
  int shards = 1;  ///< how many the route had when the row was made
  LeaseHolder holder;
  std::optional<Position> position;  ///< nullopt: the route has not begun
  bool paused = false;
  std::int64_t held_version = 0;
  Replays replays;
};

/// The rows of a route by shard.
Result<std::vector<MarkRow>> load_marks(Session& session, const char* what, const std::string& route);
/// The same, and until the transaction ends no relay settles anything of the route, nobody else changes what
/// is held of it. In the order in which everybody locks them.
Result<std::vector<MarkRow>> lock_marks(Session& session, const char* what, const std::string& route);

/// Those of every route.
Result<void> lock_all_marks(Session& session, const char* what);

/// Running relays look again at what is held of the route.
Result<void> held_changed(Session& session, const char* what, const std::string& route);

/// Marks stand where they stood before, or at another place in the log: what was passed when is forgotten.
Result<void> marks_put_back(Session& session, const char* what);

/// As Store::acquire, on a session that is connected.
Result<Acquired> take_lease(Session& session, Log& log, const LeaseRequest& request);

/// As the functions of Store. `stamp`: of the mark's position.
Result<void> renew(Session& session, const Lease& lease);
Result<void> release(Session& session, const Lease& lease);
Result<Settled> settle(Session& session, const Lease& lease, const Position& position,
                       const HeldWrites& held);

}  // namespace outbox::sql
