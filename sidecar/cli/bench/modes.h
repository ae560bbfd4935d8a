// The measurements of `outboxd bench`; each answers the exit code. Main thread.
#pragma once

#include "cli/bench/setup.h"

namespace outbox::cli {

/// Inserts rows, then relays all there are with the real runtime.
int bench_drain(const Context& context, const BenchOptions& options);

/// The relay without a database: rows from memory to the real broker.
int bench_broker(const Context& context, const BenchOptions& options);

/// Single-row commits at a steady rate while the relay runs: how long until the broker has each.
int bench_latency(const Context& context, const BenchOptions& options);

}  // namespace outbox::cli
