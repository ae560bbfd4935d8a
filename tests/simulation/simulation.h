// One simulated run: services commit, relays relay, everything fails; then the faults end and the truth is
// compared.
#pragma once

#include <cstdint>
#include <string>

namespace outbox::simulation {

struct Outcome {
  std::string violation;  ///< empty: none
  std::size_t rows = 0, accepted = 0, crashes = 0, steps = 0;
};

enum class Weather {
  faults,   ///< each message, connection and process may fail at any time
  outages,  ///< the broker is away for a while, and works otherwise
  topics,   ///< some topics are not taken for a while, all others always
};

/// Same seed, same run. `trace`: prints every step.
Outcome simulate(std::uint64_t seed, Weather weather = Weather::faults, bool trace = false);

}  // namespace outbox::simulation
