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

std::unique_ptr<World> sqlite_to_redis(const Round& round, WorldOptions options) {
  options.seed = round.seed;
  return std::make_unique<World>(std::make_unique<SqliteShop>(),
                                 std::make_unique<RedisConsumer>(round.servers.redis().port(), 0, round.lane),
                                 std::move(options));
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
               .faults = 2000,
               .faults_short = 60,
               .per_round = 60,
               .jobs = 2,
               .play = [](const Round& round) { return kill_at_steps(round, sqlite_to_file); }},
      Scenario{.name = "sqlite-kill",
               .what = "kill -9 at any moment under load, SQLite to a file",
               .faults = 2000,
               .faults_short = 40,
               .per_round = 40,
               .jobs = 2,
               .play = [](const Round& round) { return kill_anywhere(round, sqlite_to_file); }},
      Scenario{.name = "postgresql-steps",
               .what = "kill -9 at a labelled step and again on the way back, PostgreSQL to Redis",
               .postgresql = true,
               .redis = true,
               .faults = 1000,
               .faults_short = 30,
               .per_round = 60,
               .jobs = 2,
               .play = [](const Round& round) { return kill_at_steps(round, postgresql_to_redis); }},
      Scenario{.name = "postgresql-kill",
               .what = "kill -9 at any moment under load, PostgreSQL to Redis",
               .postgresql = true,
               .redis = true,
               .faults = 1000,
               .faults_short = 20,
               .per_round = 40,
               .jobs = 2,
               .play = [](const Round& round) { return kill_anywhere(round, postgresql_to_redis); }},
      Scenario{.name = "zombies",
               .what = "one of three relays stopped beyond its lease, others die, leave and join",
               .postgresql = true,
               .redis = true,
               .faults = 600,
               .faults_short = 4,
               .per_round = 10,
               .jobs = 4,
               .play = zombies},
      Scenario{.name = "shards",
               .what = "three shards on three relays that are stopped, killed, leave and join",
               .postgresql = true,
               .redis = true,
               .faults = 300,
               .faults_short = 6,
               .per_round = 10,
               .jobs = 4,
               .play = share_shards},
      Scenario{.name = "postgresql-crash",
               .what = "PostgreSQL shut down at once and restarted, commits wait for the disk",
               .redis = true,
               .faults = 100,
               .faults_short = 4,
               .per_round = 15,
               .jobs = 1,
               .play = [](const Round& round) { return crash_database(round, true); }},
      Scenario{.name = "postgresql-forgets",
               .what = "the same with synchronous_commit off: the last commits are lost",
               .redis = true,
               .faults = 100,
               .faults_short = 4,
               .per_round = 15,
               .jobs = 1,
               .play = [](const Round& round) { return crash_database(round, false); }},
      Scenario{.name = "redis-crash",
               .what = "kill -9 of Redis and restart, appendfsync always",
               .postgresql = true,
               .faults = 200,
               .faults_short = 10,
               .per_round = 20,
               .jobs = 2,
               .play = [](const Round& round) { return crash_broker(round, redis_under_test); }},
      Scenario{.name = "postgresql-wire",
               .what = "a fault on the wire between relay and PostgreSQL",
               .postgresql = true,
               .redis = true,
               .faults = 2500,
               .faults_short = 30,
               .per_round = 50,
               .jobs = 3,
               .play = spoil_database_wire},
      Scenario{.name = "redis-wire",
               .what = "a fault on the wire between relay and Redis",
               .faults = 2500,
               .faults_short = 30,
               .per_round = 50,
               .jobs = 3,
               .play = [](const Round& round) { return spoil_broker_wire(round, redis_under_test); }},
      Scenario{.name = "nats-crash",
               .what = "kill -9 of NATS and restart, JetStream in files",
               .postgresql = true,
               .faults = 100,
               .faults_short = 3,
               .per_round = 10,
               .jobs = 2,
               .play = [](const Round& round) { return crash_broker(round, nats_under_test); },
               .missing = nats_missing},
      Scenario{.name = "nats-wire",
               .what = "a fault on the wire between relay and NATS",
               .faults = 500,
               .faults_short = 10,
               .per_round = 50,
               .jobs = 3,
               .play = [](const Round& round) { return spoil_broker_wire(round, nats_under_test); },
               .missing = nats_missing},
      Scenario{.name = "rabbitmq-crash",
               .what = "kill -9 of RabbitMQ and restart, a durable queue",
               .postgresql = true,
               .faults = 100,
               .faults_short = 2,
               .per_round = 25,
               .jobs = 2,
               .play = [](const Round& round) { return crash_broker(round, rabbitmq_under_test); },
               .missing = rabbitmq_missing},
      Scenario{.name = "rabbitmq-wire",
               .what = "a fault on the wire between relay and RabbitMQ",
               .faults = 500,
               .faults_short = 10,
               .per_round = 125,
               .jobs = 2,
               .play = [](const Round& round) { return spoil_broker_wire(round, rabbitmq_under_test); },
               .missing = rabbitmq_missing},
      Scenario{.name = "file-disk-full",
               .what = "no room for the file that messages are written to",
               .postgresql = true,
               .faults = 200,
               .faults_short = 6,
               .per_round = 20,
               .jobs = 2,
               .play = fill_file_disk},
      Scenario{.name = "state-disk-full",
               .what = "no room for the marks beside a SQLite database",
               .redis = true,
               .faults = 200,
               .faults_short = 6,
               .per_round = 20,
               .jobs = 2,
               .play = fill_state_disk},
      Scenario{.name = "clock-jumps",
               .what = "the relay's wall clock jumps by hours in either direction",
               .postgresql = true,
               .redis = true,
               .faults = 500,
               .faults_short = 10,
               .per_round = 50,
               .jobs = 2,
               .play = shift_clock},
      Scenario{.name = "held-rows",
               .what = "kill -9 while a broker turns messages away: rows are held, retried, dead",
               .postgresql = true,
               .faults = 400,
               .faults_short = 10,
               .per_round = 20,
               .jobs = 2,
               .play = hold_rows},
  };
  return table;
}

}  // namespace outbox::test
