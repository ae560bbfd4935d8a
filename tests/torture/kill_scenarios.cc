// kill -9 of the one relay: between two steps, or wherever it happens to be.
#include <signal.h>

#include <array>
#include <string_view>

#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

/// Every crash_point() of sidecar/runtime.
constexpr std::array steps = {
    Step{"acquire.before", 1},   Step{"acquire.after", 1},    Step{"read.before", 5},
    Step{"read.after", 5},       Step{"settle.before", 5},    Step{"settle.after", 5},
    Step{"submit.before", 9},    Step{"submit.after", 9},     Step{"deliveries.after", 9},
    Step{"connect.before", 1},   Step{"connect.after", 1},    Step{"renew.before", 2},
    Step{"renew.after", 2},      Step{"held_keys.before", 1}, Step{"held_keys.after", 1},
    Step{"read_held.before", 2}, Step{"read_held.after", 2},  Step{"release.before", 1},
    Step{"release.after", 1},
};

}  // namespace

void die_at(World& world, Outboxd& relay, const Step& step) {
  const int pass = 1 + world.draw(step.passes_max);
  relay.environment = {{"OUTBOXD_CRASH_AT", std::string(step.label) + ":" + std::to_string(pass)}};
  world.start(relay);
  relay.environment.clear();
  // A busy relay renews by saving its mark, and gives the lease back only when it is told to stop.
  if (step.label.starts_with("renew")) world.quiet(true);
  if (step.label.starts_with("release")) {
    world.pass(std::chrono::milliseconds(world.draw(40)));
    relay.process().signal(SIGTERM);
  }
  if (world.until([&] { return !relay.process().running(); }, 20s)) {
    const auto code = relay.process().wait(0ms);
    // SIGTERM before it holds the lease leaves nothing to give back.
    if (code != 128 + SIGKILL && !(step.label.starts_with("release") && (code == 0 || code == 128 + SIGTERM)))
      world.violation("the relay ended with " + std::to_string(code.value_or(-1)));
    world.fault();
  } else {
    world.violation("never came to pass " + std::to_string(pass) + " of " + std::string(step.label));
  }
  relay.kill();
  world.quiet(false);
  world.crashed();
}

Outcome kill_at_steps(const Round& round, MakeWorld make_world) {
  const auto world = make_world(round, {});
  Outboxd& relay = world->add_relay();
  const auto first = static_cast<std::size_t>(world->draw(static_cast<int>(steps.size())));
  for (int i = 0; i < round.faults && world->is_faultless(); ++i) {
    // Each step in turn; every second time one step of all on the way back.
    const std::size_t at = i % 2 == 0 ? first + static_cast<std::size_t>(i / 2)
                                      : static_cast<std::size_t>(world->draw(static_cast<int>(steps.size())));
    die_at(*world, relay, steps[at % steps.size()]);
  }
  world->start(relay);
  return world->finish();
}

Outcome kill_anywhere(const Round& round, MakeWorld make_world) {
  const auto world = make_world(round, {});
  Outboxd& relay = world->add_relay();
  for (int i = 0; i < round.faults && world->is_faultless(); ++i) {
    world->start(relay);
    const int messages = world->draw(3 * world->options().window);
    switch (world->draw(4)) {
      case 0:  // as soon as it works at all
        if (!world->progress(1, "kill -9")) return world->finish();
        break;
      case 1:  // perhaps before it works at all
        world->pass(std::chrono::milliseconds(world->draw(40)));
        break;
      default:
        if (!world->progress(static_cast<std::size_t>(messages), "kill -9")) return world->finish();
        break;
    }
    world->kill(relay);
    world->fault();
    world->crashed();
  }
  world->start(relay);
  return world->finish();
}

}  // namespace outbox::test
