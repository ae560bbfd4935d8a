// What the measurements share: rows, tables, a route of its own, and what a run took. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "bench/bench.h"
#include "runtime/relay_process.h"

namespace outbox::bench {

/// What a message of the benchmark looks like: a JSON text of `payload_bytes`.
NewRow sample_row(std::int64_t payload_bytes);

/// The task's database, with every migration applied.
Result<std::unique_ptr<Admin>> migrated(const Task& task);

/// A database that is none, scheme "memory": each store it opens has `count` equal rows unsent, made up as
/// they are read.
StoreAdapter memory_adapter(NewRow row, std::int64_t count, std::int64_t keys);

using Wrap = std::function<std::unique_ptr<Broker>(std::unique_ptr<Broker>)>;

/// The relay of the task's one route under a new name, whose broker is put into what `wrap` makes of it.
/// Errors: as assemble().
Result<std::unique_ptr<RelayProcess>> assemble_wrapped(Task& task, const Wrap& wrap, bool once);

/// The value below which `share` of the sorted values lie; 0 when there are none.
double percentile(const std::vector<double>& sorted, double share);

/// CPU time and memory of this process from now on.
class UsageMeter {
 public:
  /// Forgets the peak of what came before.
  UsageMeter();

  struct Usage {
    double elapsed_seconds = 0;
    double cpu_seconds = 0;  ///< user and system, all threads
    double resident_megabytes = 0;
    double resident_peak_megabytes = 0;  ///< since this object was made, where the system can tell
  };
  [[nodiscard]] Usage usage() const;

 private:
  Instant begun_;
  double cpu_seconds_before_ = 0;
};

}  // namespace outbox::bench
