// What can be done to a relay: the table of scenarios. A scenario runs in rounds, each with a world of its
// own and a seed of its own; rounds may run side by side.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "tests/support/postgresql_server.h"
#include "tests/support/redis_server.h"
#include "tests/torture/broker_under_test.h"
#include "tests/torture/world.h"

namespace outbox::test {

/// Servers that all rounds of a scenario share. They die with the thread that starts them: the main thread.
class Servers {
 public:
  void start(bool postgresql, bool redis);
  [[nodiscard]] PostgresqlServer& postgresql() { return *postgresql_; }
  [[nodiscard]] RedisServer& redis() { return *redis_; }
  /// Any thread.
  std::unique_ptr<PostgresqlShop> new_shop();

 private:
  std::mutex mutex_;
  std::unique_ptr<PostgresqlServer> postgresql_;
  std::unique_ptr<RedisServer> redis_;
};

struct Round {
  Servers& servers;
  unsigned seed = 1;
  int number = 1;  ///< that of the seed, so that a round played again is the same one
  int faults = 1;  ///< wanted
  int per_round = 1;
  int lane = 0;  ///< different for rounds that run at the same time
};

struct Scenario {
  std::string name;
  std::string what;  ///< a fault, in words
  bool postgresql = false, redis = false;
  int faults = 0;        ///< of the full set
  int faults_short = 0;  ///< of the short set
  int per_round = 20;
  int jobs = 1;  ///< rounds at the same time
  std::function<Outcome(const Round&)> play;
  /// Why it cannot be played here; empty: it can.
  std::function<std::string()> missing = [] { return std::string(); };
};

std::span<const Scenario> scenarios();

/// From SQLite to a file.
std::unique_ptr<World> sqlite_to_file(const Round& round, WorldOptions options = {});
std::unique_ptr<World> sqlite_to_redis(const Round& round, WorldOptions options = {});
/// From PostgreSQL to Redis.
std::unique_ptr<World> postgresql_to_redis(const Round& round, WorldOptions options = {});

using MakeWorld = std::unique_ptr<World> (*)(const Round&, WorldOptions);

/// A crash_point() of sidecar/runtime.
struct Step {
  std::string_view label;
  int passes_max;  ///< it dies at one of the first so many passes
};

/// Starts the relay, which dies of itself.
void die_at(World& world, Outboxd& relay, const Step& step);

Outcome kill_at_steps(const Round& round, MakeWorld make_world);
Outcome kill_anywhere(const Round& round, MakeWorld make_world);
Outcome zombies(const Round& round);
Outcome share_shards(const Round& round);
/// waits_for_disk: a commit is answered when it is on disk (synchronous_commit).
Outcome crash_database(const Round& round, bool waits_for_disk);
/// Both with a server of the round's own.
Outcome crash_broker(const Round& round, MakeBroker make_broker);
Outcome spoil_broker_wire(const Round& round, MakeBroker make_broker);
Outcome spoil_database_wire(const Round& round);
Outcome fill_file_disk(const Round& round);
Outcome fill_state_disk(const Round& round);
Outcome shift_clock(const Round& round);
Outcome hold_rows(const Round& round);

}  // namespace outbox::test
