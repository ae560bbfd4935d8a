// What every measurement begins with: options, tables, rows, a route of its own. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/bench/refusing_broker.h"
#include "cli/command.h"
#include "config/config.h"
#include "core/adapter.h"

namespace outbox::cli {

struct BenchOptions : CommonOptions {
  std::int64_t rows = 1'000'000;
  std::int64_t payload_bytes = 300;
  std::int64_t keys = 10'000;
  std::optional<int> window;
  std::int64_t rate = 1'000;  ///< per second
  int seconds = 30;
  int warm_up_seconds = 2;
  int producers = 4;
  Refusals refusals;
  bool seed_only = false;
  bool json = false;
};

/// The configuration with one route, whose name no run has had before. Faults are told on the error stream.
std::optional<Config> bench_config(const Context& context, BenchOptions options, Need need);

/// What a message of the benchmark looks like: a JSON text of `payload_bytes`.
NewRow sample_row(std::int64_t payload_bytes);

/// Applies the migrations that are missing.
Result<void> migrate_missing(const StoreAdapter& database, Admin& admin);

/// The same adapters, whose brokers are put into what `wrap` makes of them.
std::vector<BrokerAdapter> wrapped(
    std::span<const BrokerAdapter> adapters,
    const std::function<std::unique_ptr<Broker>(std::unique_ptr<Broker>)>& wrap);

}  // namespace outbox::cli
