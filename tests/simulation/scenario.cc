#include "scenario.h"

#include <string>

namespace outbox::simulation {
namespace {

using namespace std::chrono_literals;

Faults draw_faults(Random& random) {
  Faults faults;
  const auto sometimes = [&](double most) {
    return random.chance(0.5) ? 0 : most * random.between(1, 100) / 100;
  };
  faults.store_fails = sometimes(0.1);
  faults.notification_lost = sometimes(0.5);
  faults.rejects_for_now = sometimes(0.2);
  faults.throttles = sometimes(0.1);
  faults.forbids = sometimes(0.02);
  faults.answer_lost = sometimes(0.1);
  faults.session_breaks = sometimes(0.1);
  faults.interferes = sometimes(0.3);
  faults.connect_fails = sometimes(0.3);
  faults.crash = sometimes(0.02);
  faults.stall = sometimes(0.01);
  if (random.chance(0.2)) faults.store_latency_max = 300ms;
  if (random.chance(0.2)) faults.broker_latency_max = 300ms;
  return faults;
}

}  // namespace

Scenario draw_scenario(Random& random) {
  Scenario scenario;
  scenario.faults = draw_faults(random);
  scenario.relays = random.chance(0.3) ? random.between(2, 3) : 1;
  scenario.rows = random.between(1, 60);
  scenario.keys = random.between(1, 8);
  scenario.scheduled = random.chance(0.3) ? 0.1 : 0;
  scenario.poisoned = random.chance(0.3) ? 0.1 : 0;
  scenario.pauses = random.chance(0.2) ? 0.1 : 0;
  scenario.hand_overs = random.chance(0.3) ? 0.2 : 0;
  scenario.commit_gap_max = random.chance(0.3) ? Duration::zero() : Duration(20ms);
  auto& relay = scenario.relay;
  relay.window = static_cast<std::size_t>(random.chance(0.5) ? random.between(1, 8) : 64);
  relay.read_messages_max = static_cast<std::size_t>(random.between(1, 32));
  relay.lease = 2s;
  relay.drain_timeout = 2s;
  relay.retry = {random.chance(0.5) ? 1000 : random.between(1, 4), 10ms, 500ms};
  relay.dead_blocks = random.chance(0.3);
  relay.held_read_max = static_cast<std::size_t>(random.between(1, 8));
  if (random.chance(0.1)) relay.held_max = random.between(2, 10);
  relay.traits.ordered_pipeline = random.chance(0.3);
  return scenario;
}

void add_outages(Scenario& scenario, std::vector<Outage>& outages, Instant from, Random& random) {
  scenario.has_outages = true;
  auto& faults = scenario.faults;
  faults.rejects_for_now = faults.answer_lost = faults.session_breaks = faults.interferes = 0;
  scenario.poisoned = random.chance(0.3) ? 0.1 : 0;
  const int count = random.between(1, 3);
  for (int i = 0; i < count; ++i) {
    from += random.within(10ms, 500ms);
    const Duration length = random.chance(0.1) ? random.within(10s, 5min) : random.within(10ms, 2s);
    outages.push_back({static_cast<Outage::Look>(random.between(0, Outage::looks - 1)), from, from + length});
    from += length + 1s;
  }
  // A route that has stopped reading has nothing to tell a poisoned row from an outage by: an operator's
  // turn.
  scenario.relay.held_max = RelayOptions{}.held_max;
  // What an outage interrupts may have been charged once, for others passed until then.
  scenario.relay.retry.attempts_max = count + random.between(1, 3);
}

void add_bad_topics(Scenario& scenario, std::vector<BadTopic>& bad_topics, Instant from, Random& random) {
  scenario.has_outages = true;
  scenario.faults = {.notification_lost = scenario.faults.notification_lost,
                     .interferes = random.chance(0.5) ? 0.3 : 0,
                     .store_latency_max = scenario.faults.store_latency_max};
  scenario.relays = 1;
  scenario.poisoned = scenario.scheduled = scenario.pauses = scenario.hand_overs = 0;
  scenario.relay.held_max = RelayOptions{}.held_max;
  const int count = random.between(1, ModelDatabase::topics - 1);
  for (int i = 0; i < count; ++i) {
    const Instant begin = from + random.within(0ms, 300ms);
    const Duration length = random.chance(0.2) ? random.within(10s, 2min) : random.within(10ms, 5s);
    bad_topics.push_back({"topic-" + std::to_string(i),
                          random.chance(0.5) ? Verdict::misconfigured : Verdict::unavailable, begin,
                          begin + length});
  }
}

}  // namespace outbox::simulation
