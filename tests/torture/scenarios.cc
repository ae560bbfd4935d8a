#include "tests/torture/scenario.h"

#include <array>

namespace outbox::test {

void Servers::start(bool postgresql, bool redis) {
  if (postgresql && !postgresql_) postgresql_ = std::make_unique<PostgresqlServer>();
  if (redis && !redis_) redis_ = std::make_unique<RedisServer>();
}

std::unique_ptr<PostgresqlShop> Servers::new_shop() {
  const std::lock_guard lock(mutex_);
  return std::make_unique<PostgresqlShop>(*postgresql_);
}

std::unique_ptr<World> sqlite_to_file(const Round& round, WorldOptions options) {
  options.seed = round.seed;
  auto shop = std::make_unique<SqliteShop>();
  auto consumer = std::make_unique<FileConsumer>(shop->directory() + "/events.ndjson");
  return std::make_unique<World>(std::move(shop), std::move(consumer), std::move(options));
}

std::unique_ptr<World> postgresql_to_redis(const Round& round, WorldOptions options) {
  options.seed = round.seed;
  return std::make_unique<World>(round.servers.new_shop(),
                                 std::make_unique<RedisConsumer>(round.servers.redis().port(), 0, round.lane),
                                 std::move(options));
}

std::span<const Scenario> scenarios() {
  static const std::array table = {
      Scenario{.name = "sqlite-steps",
               .what = "kill -9 at a labelled step and again on the way back, SQLite to a file",
               .faults = 1200,
               .faults_short = 60,
               .per_round = 60,
               .jobs = 2,
               .play = [](const Round& round) { return kill_at_steps(round, sqlite_to_file); }},
      Scenario{.name = "sqlite-kill",
               .what = "kill -9 at any moment under load, SQLite to a file",
               .faults = 1200,
               .faults_short = 40,
               .per_round = 40,
               .jobs = 2,
               .play = [](const Round& round) { return kill_anywhere(round, sqlite_to_file); }},
      Scenario{.name = "postgresql-steps",
               .what = "kill -9 at a labelled step and again on the way back, PostgreSQL to Redis",
               .postgresql = true,
               .redis = true,
               .faults = 600,
               .faults_short = 30,
               .per_round = 60,
               .jobs = 2,
               .play = [](const Round& round) { return kill_at_steps(round, postgresql_to_redis); }},
      Scenario{.name = "postgresql-kill",
               .what = "kill -9 at any moment under load, PostgreSQL to Redis",
               .postgresql = true,
               .redis = true,
               .faults = 600,
               .faults_short = 20,
               .per_round = 40,
               .jobs = 2,
               .play = [](const Round& round) { return kill_anywhere(round, postgresql_to_redis); }},
  };
  return table;
}

}  // namespace outbox::test
