// What watches over the lanes of a process from a database session of its own: pause flags, what is held,
// backlog, retention, who holds which shard. Its thread is started and ended by the relay process; what it
// has seen, from any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/thread.h"
#include "core/admin.h"
#include "core/status.h"
#include "core/topics.h"
#include "runtime/known_relays.h"
#include "runtime/lane.h"
#include "runtime/pace.h"
#include "runtime/telling.h"
#include "runtime/unattended.h"

namespace outbox {

/// The lanes of one route, shard by shard.
struct WatchedRoute {
  std::string name;
  Topics topics{{"*"}};
  std::vector<Lane*> lanes;
};

class Watcher {
 public:
  using AdminOpener = std::function<Result<std::unique_ptr<Admin>>()>;

  struct Options {
    std::string instance;
    Duration lease{};
    Retention retention;
    bool once = false;  ///< nothing but pause flags
    /// For once: the routes have taken what was held because none of them took it, or the database was away.
    /// Called on the watcher's thread.
    std::function<void()> adopted = {};
  };

  struct Seen {
    Backlog backlog;
    Instant at{};
    std::uint64_t sent_total = 0;  ///< of the lanes at that time
    bool known = false;
    std::map<HeldState, HeldCount> held;
    std::vector<BlockedKey> blocked_keys;
    std::vector<WaitingTopic> topics;
    Instant held_at{};  ///< when these were counted
  };

  /// The lanes must outlive it.
  Watcher(Options options, std::vector<WatchedRoute> routes, AdminOpener open);

  void start();

  [[nodiscard]] const std::vector<WatchedRoute>& routes() const { return routes_; }
  [[nodiscard]] Seen seen(std::size_t route) const;
  /// Connected, seen, last error; not connected, while it is asked and does not answer.
  [[nodiscard]] DatabaseStatus database() const;
  [[nodiscard]] std::uint64_t removed_total() const;
  [[nodiscard]] std::vector<UnattendedStatus> unattended() const;
  [[nodiscard]] std::vector<RelayStatus> relays() const;
  /// By how much the oldest row is older than it may become; 0: it is not.
  [[nodiscard]] Duration retention_lag() const;

 private:
  /// Of the watcher's thread alone.
  struct Memory {
    Pace backlog{std::chrono::seconds(5)};
    Pace held{{}, std::chrono::seconds(20)};
    std::int64_t held_version = -1;
    bool held_any = true;
    bool adopted = false;
  };
  struct LastBeat {
    std::int64_t beat = 0;
    Instant moved{};
  };

  void run();
  void adopt_at_start();
  void watch_once(Admin& admin);
  void pass_on_flags(const std::vector<RouteShard>& rows);
  void look_for_unattended(const std::vector<RouteShard>& rows);
  bool join(Admin& admin, const std::vector<RouteShard>& rows);
  void share_out(const std::vector<RouteShard>& rows);
  std::set<std::string> live_relays();
  void measure_retention(Admin& admin, Duration kept);
  void adopt_unrouted(Admin& admin);
  bool adopt(Admin& admin, std::size_t index);
  Admin* opened();
  void count_held(Admin& admin, std::size_t index);
  void forget_held(std::size_t index);
  void measure_backlog(Admin& admin, std::size_t index);
  void remove_sent(Admin& admin, Duration kept);
  void log_removal(const Result<Removed>& removed);

  const Options options_;
  const std::vector<WatchedRoute> routes_;
  const AdminOpener open_;
  const bool is_sharded_;
  const Instant started_at_ = now();
  std::vector<Memory> memory_;
  std::optional<Instant> joined_at_;
  std::vector<RelayMember> members_;  ///< as they were then
  std::map<std::string, LastBeat> beats_;
  Pace lag_{std::chrono::seconds(5)};
  TroubleTelling removal_trouble_;
  UnattendedRoutes unattended_routes_;
  std::map<std::string, std::string> topics_;  ///< of each route of the database, as it keeps them
  std::unique_ptr<Admin> admin_;               ///< of the watcher's thread once that runs

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<Seen> seen_;
  DatabaseStatus database_;
  std::optional<Instant> asked_at_;  ///< the database owes a first answer since then
  std::uint64_t removed_total_ = 0;
  Duration retention_lag_{};
  std::vector<UnattendedStatus> unattended_;
  std::vector<RelayStatus> relays_;
  Thread thread_;
};

}  // namespace outbox
