#include "tests/torture/scenario.h"

#include <utility>
#include <vector>

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

namespace {

Scenario scenario_of(std::string name, std::string what, const Extent& extent, const TestedBroker& broker,
                     Outcome (*play)(const Round&, MakeBroker)) {
  return {.name = std::move(name),
          .what = std::move(what),
          .faults = extent.faults,
          .faults_short = extent.faults_short,
          .per_round = extent.per_round,
          .jobs = extent.jobs,
          .play = [play, make = broker.make](const Round& round) { return play(round, make); },
          .missing = [&broker] { return broker.missing(); }};
}

std::vector<Scenario> make_scenarios() {
  std::vector<Scenario> table = {
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
      Scenario{.name = "postgresql-wire",
               .what = "a fault on the wire between relay and PostgreSQL",
               .postgresql = true,
               .redis = true,
               .faults = 2500,
               .faults_short = 30,
               .per_round = 50,
               .jobs = 3,
               .play = spoil_database_wire},
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
  for (const TestedBroker& broker : tested_brokers()) {
    table.push_back(scenario_of(broker.name + "-crash",
                                "kill -9 of " + broker.title + " and restart, " + broker.store, broker.crash,
                                broker, crash_broker));
    table.back().postgresql = true;
    table.push_back(scenario_of(broker.name + "-wire",
                                "a fault on the wire between relay and " + broker.title, broker.wire, broker,
                                spoil_broker_wire));
  }
  return table;
}

}  // namespace

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> table = make_scenarios();
  return table;
}

}  // namespace outbox::test
