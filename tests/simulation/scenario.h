// What a seed decides before a run begins.
#pragma once

#include <vector>

#include "core/relay_io.h"
#include "model_database.h"
#include "scripted_broker.h"
#include "virtual_time.h"

namespace outbox::simulation {

struct Scenario {
  RelayOptions relay;
  bool has_outages = false;  ///< beside them the broker works, so that nothing but poison may die
  Faults faults;
  int relays = 1;
  int rows = 0;
  int keys = 0;
  double scheduled = 0;   ///< share of rows with a deliver_at
  double poisoned = 0;    ///< share of rows that no broker ever takes
  double pauses = 0;      ///< an operator, per look
  double hand_overs = 0;  ///< of the shard, asked of one relay or taken back, per look
  Duration commit_gap_max{};
};

Scenario draw_scenario(Random& random);

/// The broker is away a few times, for moments or minutes, and but for that works.
void add_outages(Scenario& scenario, std::vector<Outage>& outages, Instant from, Random& random);

/// How long a topic that is mended may wait for somebody to notice.
inline constexpr Duration topic_probe_interval_max = std::chrono::seconds(10);

/// Some topics are not taken for a while.
void add_bad_topics(Scenario& scenario, std::vector<BadTopic>& bad_topics, Instant from, Random& random);

}  // namespace outbox::simulation
