// Faults on the wire between the relay and one of its servers.
#include "tests/support/fault_proxy.h"
#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

class Wire {
 public:
  Wire(World& world, FaultProxy& proxy, Outboxd& relay, BrokerUnderTest::Cuts cuts)
      : world_(world), proxy_(proxy), relay_(relay), cuts_(cuts) {}

  /// `turn` counts through all rounds, so that no count of bytes is left out.
  void play(int turn) {
    if (turn % 5 < 2)
      cut_in_answer((turn / 5 * 2 + turn % 5) * cuts_.step);
    else
      spoil();
    proxy_.heal();
    world_.fault();
  }

 private:
  void spoil() {
    switch (world_.draw(7)) {
      case 0:
        proxy_.cut();
        break;
      case 1:
        proxy_.half_open(true);
        pass();
        if (world_.draw(2) == 0) proxy_.cut();  // or it was a short stall
        break;
      case 2:
        proxy_.swallow_answers(true);
        pass();
        proxy_.cut();  // a stream cannot go on with a hole in it
        break;
      case 3:
        proxy_.drip(static_cast<std::size_t>(1 + world_.draw(40)));
        pass();
        break;
      case 4:
        proxy_.delay(std::chrono::milliseconds(world_.draw(60)),
                     std::chrono::milliseconds(1 + world_.draw(30)));
        pass();
        if (world_.draw(2) == 0) proxy_.cut();  // with bytes under way
        break;
      case 5:
        proxy_.refuse(true);
        proxy_.cut();
        pass();
        break;
      default:  // half an answer, and the relay does not live to see the rest
        cut_in_answer(world_.draw(cuts_.bytes_max));
        world_.kill(relay_);
        world_.may_repeat(1);
        world_.start(relay_);
        break;
    }
  }

  void pass() { world_.pass(std::chrono::milliseconds(5 + world_.draw(60))); }

  void cut_in_answer(int number) {
    const auto before = proxy_.accepted();
    const bool in_new_session = number / cuts_.bytes_max % 2 == 1;  // among its first bytes
    if (in_new_session) proxy_.cut();
    proxy_.cut_after_answers(static_cast<std::size_t>(1 + number % cuts_.bytes_max));
    (void)world_.until([&] { return proxy_.accepted() > before + (in_new_session ? 1 : 0); }, 300ms);
  }

  World& world_;
  FaultProxy& proxy_;
  Outboxd& relay_;
  const BrokerUnderTest::Cuts cuts_;
};

Outcome play(World& world, FaultProxy& proxy, Outboxd& relay, const Round& round,
             BrokerUnderTest::Cuts cuts) {
  world.start(relay);
  Wire wire(world, proxy, relay, cuts);
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) {
    if (!world.progress(static_cast<std::size_t>(1 + world.draw(30)), "a fault on the wire")) break;
    wire.play(round.number * round.per_round + i);
  }
  world.may_repeat(proxy.accepted());  // each session may have ended with a window in doubt
  return world.finish();
}

}  // namespace

Outcome spoil_database_wire(const Round& round) {
  const auto world = postgresql_to_redis(round, {});
  FaultProxy proxy(round.servers.postgresql().port(), round.seed);
  const std::string url = world->shop().url();
  const std::string direct = ":" + std::to_string(round.servers.postgresql().port()) + "/";
  std::string spoilt = url;
  spoilt.replace(spoilt.find(direct), direct.size(), ":" + std::to_string(proxy.port()) + "/");
  return play(*world, proxy, world->add_relay(spoilt), round, {.bytes_max = 1000});
}

Outcome spoil_broker_wire(const Round& round, MakeBroker make_broker) {
  WorldOptions options;
  options.seed = round.seed;
  const std::unique_ptr<BrokerUnderTest> broker = make_broker();
  FaultProxy proxy(broker->proxied_port(), round.seed, broker->proxy_port());
  World world(std::make_unique<SqliteShop>(), broker->consumer(proxy.port()), options);
  Outboxd& relay =
      world.add_relay("", [&](RelayConfig& config) { config.routes[0].more = broker->short_limits(); });
  return play(world, proxy, relay, round, broker->cuts());
}

}  // namespace outbox::test
