#include "assembly/descriptors.h"

#include <sys/resource.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

namespace outbox {
namespace {

// Database, broker and what wakes them: eight with SQLite and Redis. A library for a cluster has some more.
constexpr std::size_t per_lane = 20;
// HTTP with its connections, the watcher, the commands of operators.
constexpr std::size_t beside_lanes = 40;

std::size_t open_descriptors() {
  std::error_code failed;
  std::filesystem::directory_iterator entries("/proc/self/fd", failed);
  return failed ? 0 : static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

Result<void> reserve_descriptors(std::size_t lanes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const std::size_t needed = open_descriptors() + beside_lanes + per_lane * lanes;
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return {};
  return Error{Fault::refused,
               "this process may open " + std::to_string(limit.rlim_cur) + " files, and " +
                   std::to_string(lanes) + " routes and shards need about " + std::to_string(needed) +
                   "; raise the limit: ulimit -n, or LimitNOFILE= of the " + "service's unit"};
}

}  // namespace outbox
