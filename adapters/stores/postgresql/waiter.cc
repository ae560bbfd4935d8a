#include "adapters/stores/postgresql/waiter.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace outbox::postgresql {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// As in the trigger: "outb" and the table.
constexpr const char* lock_class = "1869968482";

// Below this the services are so busy that probing finds rows soon enough, and their commits need not queue
// for a NOTIFY.
constexpr milliseconds quiet_before_lock{2};
// A read costs the server about as much as ten rows do. So while rows keep coming they are left to gather for
// a moment: a short one when they are few, so that each is soon on its way.
constexpr milliseconds gather_few{1};
constexpr milliseconds gather_many{3};
constexpr std::size_t few_rows_max = 4;
constexpr microseconds probe_min{500};
constexpr milliseconds probe_max{100};
// Without notifications the probes are all there is.
constexpr milliseconds probe_max_alone{25};

}  // namespace

Result<Waiter> Waiter::prepare(Connection& connection, const Tables& tables, bool direct) {
  Waiter waiter(connection, direct);
  if (!direct) return waiter;
  const std::string key = std::string("(") + lock_class + ", " + tables.outbox_oid + "::oid::integer)";
  if (auto done = connection.prepare("outbox_arm", "SELECT pg_try_advisory_lock_shared" + key); !done)
    return done.error();
  if (auto done = connection.prepare("outbox_disarm", "SELECT pg_advisory_unlock_shared" + key); !done)
    return done.error();
  if (auto done = connection.run("listen", "LISTEN outbox_" + tables.outbox_oid); !done) return done.error();
  return waiter;
}

Result<Woken> Waiter::wait(Reader& reader, Wakeup& wakeup, Duration timeout) {
  auto woken = wait_armed_or_not(reader, wakeup, steady_clock::now() + timeout);
  // Awake: from here on the services' commits are none the slower.
  if (armed_ && woken)
    if (auto done = disarm(); !done) return done.error();
  return woken;
}

Result<Woken> Waiter::wait_armed_or_not(Reader& reader, Wakeup& wakeup, Instant deadline) {
  if (wakeup.wait({})) return Woken::interrupted;
  if (reader.caught_up().empty()) return Woken::notified;  // rows were left behind, or nobody has read yet
  bool probed = false;
  for (;;) {
    const Instant now = steady_clock::now();
    const Duration quiet = now - last_activity_;
    if (!armed_ && quiet < gather_time() && now < deadline) {
      const Heard heard = listen(wakeup, std::min(gather_time() - quiet, deadline - now));
      // The next read finds out what there is; to ask before would only double the work.
      if (heard == Heard::nothing || heard == Heard::notified) return Woken::notified;
      if (heard == Heard::interrupted) return Woken::interrupted;
      return connection_->error_of("wait", nullptr);
    }
    if (direct_ && !armed_ && quiet >= quiet_before_lock) {
      auto done = arm();
      if (!done) return done.error();
      probed = false;  // what was committed before the lock was ours sent nothing
    }
    if (!probed && (armed_ || quiet >= probe_min)) {
      auto any = reader.any_since(reader.caught_up());
      if (!any) return any.error();
      probed = true;
      if (*any) {
        last_activity_ = steady_clock::now();
        return Woken::notified;
      }
    }
    const Duration pause = std::clamp<Duration>(quiet / 2, probe_min, armed_ ? probe_max : probe_max_alone);
    if (now >= deadline) return Woken::timeout;
    switch (listen(wakeup, std::min(pause, deadline - now))) {
      case Heard::interrupted:
        return Woken::interrupted;
      case Heard::lost:
        return connection_->error_of("wait", nullptr);
      case Heard::notified:
        last_activity_ = steady_clock::now();
        return Woken::notified;
      case Heard::nothing:
        probed = false;
    }
  }
}

Duration Waiter::gather_time() const {
  return rows_ > few_rows_max ? gather_many : gather_few;
}

Result<bool> Waiter::arm() {
  auto rows = connection_->run_prepared("wait", "outbox_arm", {});
  if (!rows) return rows.error();
  armed_ = rows->boolean(0, 0);  // a service's trigger may hold it for an instant: the next round tries again
  return armed_;
}

Result<void> Waiter::disarm() {
  armed_ = false;
  auto rows = connection_->run_prepared("wait", "outbox_disarm", {});
  if (!rows) return rows.error();
  connection_->notified();  // what has come until now is answered by the read that follows
  return {};
}

Waiter::Heard Waiter::listen(Wakeup& wakeup, Duration time) {
  // A notification may have come along with the answer to the last statement.
  if (connection_->notified()) return Heard::notified;
  const auto nanoseconds = std::chrono::nanoseconds(time).count();
  const timespec pause{static_cast<time_t>(nanoseconds / 1'000'000'000),
                       static_cast<long>(nanoseconds % 1'000'000'000)};
  pollfd wanted[] = {{connection_->socket(), POLLIN, 0}, {wakeup.descriptor(), POLLIN, 0}};
  if (ppoll(wanted, 2, &pause, nullptr) < 0 && errno != EINTR) return Heard::lost;
  if (wanted[1].revents != 0) {
    wakeup.clear();
    return Heard::interrupted;
  }
  if (wanted[0].revents != 0) {
    if (!connection_->consume()) return Heard::lost;
    if (connection_->notified()) return Heard::notified;
  }
  return Heard::nothing;
}

}  // namespace outbox::postgresql
