// The frame of a server adapter's check: a connection of its own that is waited for up to a limit, and
// findings. Blocking; belongs to its caller's thread.
#pragma once

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

#include "adapters/common/tcp_connector.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/wakeup.h"
#include "core/admin.h"

namespace outbox {

class Findings {
 public:
  /// `prefix` begins each of them: "redis: host:port: ".
  explicit Findings(std::string prefix) : prefix_(std::move(prefix)) {}

  void ok(const std::string& what, std::string fix = {}) { add(Finding::Level::ok, what, std::move(fix)); }
  void warning(const std::string& what, std::string fix) {
    add(Finding::Level::warning, what, std::move(fix));
  }
  void fault(const std::string& what, std::string fix) { add(Finding::Level::fault, what, std::move(fix)); }
  void add(Finding::Level level, const std::string& what, std::string fix) {
    all_.push_back({level, prefix_ + what, std::move(fix)});
  }

  std::vector<Finding> take() { return std::move(all_); }

 private:
  std::string prefix_;
  std::vector<Finding> all_;
};

// A Connection has begin(), advance(), descriptor(), events(), endpoint() and error(), as ServerStream has
// them.

/// Waits until the connection's socket is ready. False: `end` has come.
template <class Connection>
bool wait_for(const Connection& connection, Instant end) {
  pollfd socket{connection.descriptor(), connection.events(), 0};
  const Duration left = end - now();
  return left > Duration::zero() && ::poll(&socket, 1, poll_milliseconds(left)) > 0;
}

/// Begins a connection and waits until it is ready.
template <class Connection>
Result<void> reach(Connection& connection, Instant end) {
  connection.begin();
  for (;;) {
    switch (connection.advance()) {
      case Progress::ready:
        return {};
      case Progress::failed:
        return connection.error();
      case Progress::waiting:
        break;
    }
    if (!wait_for(connection, end))
      return Error{Fault::unavailable, connection.endpoint() + ": no connection in time"};
  }
}

}  // namespace outbox
