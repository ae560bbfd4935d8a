// The measurements of `outboxd bench`: the real runtime on rows of its own making. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/adapter.h"
#include "base/result.h"

namespace outbox::bench {

/// Which messages are turned away before they reach the broker, and how often.
struct Refusals {
  std::int64_t every = 0;  ///< one message of so many; 0: none
  int times = 0;           ///< that one, before it is let through
  std::string key;         ///< all messages of this key, always; empty: none
};

struct Options {
  std::int64_t rows = 1'000'000;
  std::int64_t payload_bytes = 300;
  std::int64_t keys = 10'000;
  std::int64_t rate = 1'000;  ///< per second
  int seconds = 30;
  int warm_up_seconds = 2;
  int producers = 4;
  Refusals refusals;
  bool seed_only = false;
};

/// What is measured: a configuration with one route, which gets a name that no run has had before.
struct Task {
  Config config;
  Adapters adapters;
  Options options;
};

/// A number with its unit in its name, as in "messages_per_second".
struct Figure {
  std::string name;
  double value = 0;
  int decimals = 0;
};

struct Outcome {
  std::vector<Figure> figures;
  std::vector<std::string> unsent;  ///< what stayed unsent and why, a line per route
};

/// Inserts rows, then relays all that the database holds. With `seed_only` it relays nothing and needs no
/// route.
Result<Outcome> drain(Task task);

/// The relay without a database: rows from memory to the real broker.
Result<Outcome> broker(Task task);

/// Single-row commits at a steady rate while the relay runs: how long until the broker has each.
Result<Outcome> latency(Task task);

/// One line per figure, or one JSON object.
std::string figures_text(const std::vector<Figure>& figures, bool json);

/// Nobody should take the figures of another build for the program's; empty for what is shipped.
std::string build_warning();

}  // namespace outbox::bench
