#include "assembly/descriptors.h"

#include <sys/resource.h>

#include <string>

#include "http/process_usage.h"

namespace outbox {
namespace {

// Database, broker and what wakes them: eight with SQLite and Redis. A library for a cluster has some more.
constexpr std::size_t per_lane = 20;
// HTTP with its connections, the watcher, the commands of operators.
constexpr std::size_t beside_lanes = 40;

}  // namespace

Result<void> reserve_descriptors(std::size_t lanes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const std::size_t needed =
      static_cast<std::size_t>(process_usage().open_fds) + beside_lanes + per_lane * lanes;
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return {};
  return Error{Fault::refused,
               "this process may open " + std::to_string(limit.rlim_cur) + " files, and " +
                   std::to_string(lanes) + " routes and shards need about " + std::to_string(needed) +
                   "; raise the limit: ulimit -n, or LimitNOFILE= of the " + "service's unit"};
}

}  // namespace outbox
