// What the relay says of itself: the data behind /status, /metrics and `outboxd status`. Plain values, copied
// out by the runtime; nothing in it is secret.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "core/admin.h"
#include "core/message.h"
#include "core/store.h"
#include "core/verdict.h"

namespace outbox {

/// Counts per bucket, not cumulated; bounds in seconds, the last bucket has no upper bound.
struct Histogram {
  static constexpr std::array<double, 18> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                    1,     2.5,    5,     10,   30,    60,   300, 1800, 3600};
  std::array<std::uint64_t, bounds.size() + 1> counts{};
  double sum = 0;

  void add(Duration value, std::uint64_t times = 1) {
    const double seconds = in_seconds(value);
    std::size_t bucket = 0;
    while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
    counts[bucket] += times;
    sum += seconds * static_cast<double>(times);
  }
};

enum class RouteState {
  starting,  ///< database or broker not reached yet
  running,
  standby,        ///< another relay holds the lease
  backoff,        ///< the broker or the database is unavailable; tried again by itself
  misconfigured,  ///< tried again slowly; somebody must change something
  stopped,        ///< a message that can never be delivered stands at the head; an operator must decide
  paused,         ///< by an operator
  draining,
};

constexpr std::string_view name_of(RouteState state) {
  switch (state) {
    case RouteState::starting:
      return "starting";
    case RouteState::running:
      return "running";
    case RouteState::standby:
      return "standby";
    case RouteState::backoff:
      return "backoff";
    case RouteState::misconfigured:
      return "misconfigured";
    case RouteState::stopped:
      return "stopped";
    case RouteState::paused:
      return "paused";
    case RouteState::draining:
      return "draining";
  }
  return "";
}

struct LeaseStatus {
  int shard = 0;
  std::string owner;
  std::int64_t epoch = 0;
  bool mine = false;
};

/// A key whose rows wait for its first held row.
struct BlockedKeyStatus {
  std::string key;
  std::int64_t seq = 0;  ///< of that row
  std::string id;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  std::string last_error;
  double age_seconds = 0;  ///< since that row was held
  std::int64_t rows = 0;   ///< that wait, itself included
};

/// A topic that the broker does not take at present.
struct TopicTroubleStatus {
  std::string topic;
  std::string reason;
  double since_seconds = 0;  ///< ago
  std::int64_t waiting = 0;  ///< rows that are held for it, as last counted; 0: not yet
};

/// `ago`: when the database said so.
inline TopicTroubleStatus topic_status(const WaitingTopic& topic, Duration ago = {}) {
  return {topic.topic, topic.reason, in_seconds(topic.age + ago), topic.rows};
}

/// For one line.
inline std::string reason_of(const TopicTroubleStatus& trouble) {
  return "topic " + printable(trouble.topic, 60) + ": " + trouble.reason +
         (trouble.waiting > 0 ? "; " + std::to_string(trouble.waiting) + " rows wait for it" : "");
}

struct RouteStatus {
  std::string name;
  std::string to;  ///< redacted
  RouteState state = RouteState::starting;
  std::vector<std::string> reasons;
  bool connected = false;  ///< the broker's session is up
  std::int64_t pending = 0;
  bool pending_exact = false;                ///< false: as of the last measurement, or not measured yet
  double oldest_pending_age_seconds = 0;     ///< of what is to go out by itself, held or not
  std::map<std::string, std::int64_t> held;  ///< by state
  std::map<std::string, double> oldest_held_age_seconds;  ///< ditto
  std::vector<BlockedKeyStatus> blocked_keys;  ///< those that have waited longest first; a bounded number
  std::uint64_t sent_total = 0;
  std::uint64_t sent_bytes_total = 0;
  std::uint64_t failed_total = 0;
  std::array<std::uint64_t, verdict_count> failures{};  ///< by verdict
  std::uint64_t dead_total = 0;
  std::uint64_t duplicates_reported_total = 0;  ///< accepted, and the broker said that it had them already
  std::uint64_t unrouted_total = 0;             ///< rows seen that no route takes; counted by the first route
  std::int64_t inflight = 0;
  std::string last_error;         ///< empty: none that still holds
  double last_error_seconds = 0;  ///< ago
  std::string last_error_at;      ///< RFC 3339
  std::string last_success_at;    ///< ditto, empty: none yet
  std::uint64_t broker_reconnects_total = 0;
  std::uint64_t database_reconnects_total = 0;
  std::uint64_t lease_lost_total = 0;
  std::uint64_t wakeups_notified_total = 0;
  std::uint64_t wakeups_poll_total = 0;
  Histogram delivery;  ///< created_at to acknowledged
  Histogram publish;   ///< submitted to answered
  Histogram read;
  Histogram settle;
  std::vector<LeaseStatus> leases;
  std::vector<TopicTroubleStatus> topics;  ///< in trouble
};

/// A number of a route that only grows: summed over its shards, shown in /status by its name, and in /metrics
/// as outbox_<name> if it has help.
struct RouteCounter {
  std::string_view name;
  std::uint64_t RouteStatus::*value;
  std::string_view help = {};
  bool by_route = true;  ///< in /metrics; else all routes together
};
inline constexpr std::array route_counters = std::to_array<RouteCounter>({
    {"sent_total", &RouteStatus::sent_total, "Messages that the broker has accepted."},
    {"sent_bytes_total", &RouteStatus::sent_bytes_total, "Payload bytes of the messages accepted."},
    {"duplicates_reported_total", &RouteStatus::duplicates_reported_total,
     "Messages accepted of which the broker said that it had them already."},
    {"failed_total", &RouteStatus::failed_total},
    {"dead_total", &RouteStatus::dead_total, "Messages that became dead letters."},
    {"unrouted_total", &RouteStatus::unrouted_total, "Rows that no route takes.", false},
    {"lease_lost_total", &RouteStatus::lease_lost_total, "Leases that another relay took over.", false},
    {"broker_reconnects_total", &RouteStatus::broker_reconnects_total},
    {"database_reconnects_total", &RouteStatus::database_reconnects_total},
    {"wakeups_notified_total", &RouteStatus::wakeups_notified_total},
    {"wakeups_poll_total", &RouteStatus::wakeups_poll_total},
});

/// For one line.
inline std::string reasons_of(const RouteStatus& route) {
  std::string text;
  for (const std::string& reason : route.reasons) text += (text.empty() ? "" : "; ") + reason;
  return text;
}

struct DatabaseStatus {
  std::string kind;  ///< postgresql, sqlite
  std::string url;   ///< redacted
  bool connected = false;
  bool seen = false;  ///< reached, with the right schema, at least once
  std::string last_error;
  std::string last_error_at;  ///< RFC 3339
};

/// A route of the database that no relay runs: rows that it has not sent are kept for it.
struct UnattendedStatus {
  std::string name;
  double idle_seconds = 0;  ///< since its marks last moved, or this relay first saw them

  friend bool operator==(const UnattendedStatus&, const UnattendedStatus&) = default;
};

/// A relay process of the database.
struct RelayStatus {
  struct Held {
    std::string route;
    int shard = 0;
    std::int64_t epoch = 0;
  };
  std::string instance;
  bool me = false;
  std::optional<double> last_seen_seconds;  ///< ago, its last sign of life; nullopt: it gives none (--once)
  bool lives = false;                       ///< that was not long ago
  std::vector<Held> leases;                 ///< none: it stands by
};

struct Status {
  std::string version;
  std::string instance;
  std::string state;  ///< running, paused, draining, degraded
  std::vector<std::string> reasons;
  std::string started_at;  ///< RFC 3339
  double uptime_seconds = 0;
  DatabaseStatus database;
  std::vector<RouteStatus> routes;
  std::vector<UnattendedStatus> unattended;
  std::vector<RelayStatus> relays;
  std::uint64_t retention_removed_total = 0;
  double retention_lag_seconds = 0;  ///< by how much the oldest row is older than outbox.retention
  bool config_reload_success = true;
};

/// Where HTTP gets its answers. Any thread; never waits for database or broker.
class StatusSource {
 public:
  virtual ~StatusSource() = default;

  [[nodiscard]] virtual Status status() const = 0;

  /// Names of loops that have made no progress for too long; empty: alive.
  [[nodiscard]] virtual std::vector<std::string> stuck() const = 0;
};

}  // namespace outbox
