// The database or the broker crashes and comes back, again and again.
#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

/// The relay dies meanwhile, too; one time in five.
void perhaps_kill(World& world, Outboxd& relay) {
  if (world.draw(5) != 0) return;
  world.kill(relay);
  world.may_repeat(1);
  world.start(relay);
}

std::chrono::milliseconds short_time(World& world) {
  return std::chrono::milliseconds(world.draw(world.draw(4) == 0 ? 300 : 30));
}

}  // namespace

Outcome crash_database(const Round& round, bool waits_for_disk) {
  WorldOptions options;
  options.seed = round.seed;
  options.may_forget = !waits_for_disk;
  PostgresqlOptions server_options;
  // Every second time the relay's own commits are as forgetful as the services'.
  if (!waits_for_disk && round.number % 2 == 0)
    server_options.settings = {"synchronous_commit=off"};
  else if (!waits_for_disk)
    options.services.setup = {"SET synchronous_commit = off"};
  // Of its own: the server dies with the thread that starts it.
  PostgresqlServer server(server_options);
  World world(std::make_unique<PostgresqlShop>(server),
              std::make_unique<RedisConsumer>(round.servers.redis().port(), 0, round.lane), options);
  Outboxd& relay = world.add_relay();
  world.start(relay);
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) {
    if (!world.progress(static_cast<std::size_t>(world.draw(200)), "a crash of PostgreSQL")) break;
    server.crash();
    world.fault();
    world.may_repeat(1);
    perhaps_kill(world, relay);
    world.pass(short_time(world));
    server.start();
  }
  return world.finish();
}

Outcome crash_broker(const Round& round, MakeBroker make_broker) {
  WorldOptions options;
  options.seed = round.seed;
  const std::unique_ptr<BrokerUnderTest> broker = make_broker();
  std::unique_ptr<Shop> shop;
  if (round.number % 2 == 0)
    shop = std::make_unique<SqliteShop>();
  else
    shop = round.servers.new_shop();
  World world(std::move(shop), broker->consumer(), options);
  Outboxd& relay = world.add_relay();
  world.start(relay);
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) {
    if (!world.progress(static_cast<std::size_t>(world.draw(200)), "kill -9 of the broker")) break;
    broker->kill();
    world.fault();
    world.may_repeat(1);
    perhaps_kill(world, relay);
    world.pass(short_time(world));
    broker->start();
  }
  return world.finish();
}

}  // namespace outbox::test
