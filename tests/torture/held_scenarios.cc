// A broker that turns messages away: rows are held, retried, or die, and the relay is killed meanwhile.
#include <array>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/torture/flaky_redis.h"
#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

class FlakyConsumer : public Consumer {
 public:
  explicit FlakyConsumer(unsigned seed) : redis_(seed) {}

  void catch_up() override { redis_.copy_to(arrived); }
  void settle() override {
    if (!eventually([&] { return redis_.connections() == 0; }))
      throw std::runtime_error("the connection of a killed relay stays");
    catch_up();
  }
  [[nodiscard]] std::string url() const override {
    return "redis://127.0.0.1:" + std::to_string(redis_.port());
  }
  [[nodiscard]] std::size_t hang_ups() { return redis_.hang_ups(); }

 private:
  FlakyRedis redis_;
};

/// Where what is held can get lost, or out of step with the mark.
constexpr std::array held_steps = {
    Step{"held_keys.before", 1},  Step{"held_keys.after", 1}, Step{"read_held.before", 4},
    Step{"read_held.after", 4},   Step{"settle.before", 9},   Step{"settle.after", 9},
    Step{"deliveries.after", 30}, Step{"submit.before", 30},
};

}  // namespace

Outcome hold_rows(const Round& round) {
  WorldOptions options;
  options.seed = round.seed;
  options.is_poison = FlakyRedis::is_poison;
  std::unique_ptr<Shop> shop;
  if (round.number % 2 == 0)
    shop = std::make_unique<SqliteShop>();
  else
    shop = round.servers.new_shop();
  auto flaky = std::make_unique<FlakyConsumer>(round.seed);
  FlakyConsumer& consumer = *flaky;
  World world(std::move(shop), std::move(flaky), options);
  Outboxd& relay = world.add_relay("", [](RelayConfig& config) { config.attempts_max = 8; });
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) {
    if (i % 2 == 0) {
      die_at(world, relay,
             held_steps[static_cast<std::size_t>(world.draw(static_cast<int>(held_steps.size())))]);
      continue;
    }
    world.start(relay);
    if (!world.progress(static_cast<std::size_t>(world.draw(200)), "kill -9 with rows held")) break;
    world.kill(relay);
    world.fault();
    world.crashed();
  }
  if (!relay.is_running()) world.start(relay);
  // Answers that were on their way may be lost with the connection; one more such message may be to come.
  world.may_repeat(consumer.hang_ups() + 8);
  return world.finish();
}

}  // namespace outbox::test
