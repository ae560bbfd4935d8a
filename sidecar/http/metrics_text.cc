#include "http/metrics_text.h"

#include <map>
#include <string>
#include <string_view>

#include "http/exposition.h"
#include "http/names.h"

namespace outbox {
namespace {

/// One sample per route.
template <class Value>
void per_route(Exposition& out, const Status& status, std::string_view name, std::string_view type,
               std::string_view help, Value value_of) {
  out.family(name, type, help);
  for (const RouteStatus& route : status.routes) out.sample({{"route", route.name}}, value_of(route));
}

std::uint64_t sum(const Status& status, std::uint64_t RouteStatus::*value) {
  std::uint64_t total = 0;
  for (const RouteStatus& route : status.routes) total += route.*value;
  return total;
}

Histogram merged(const Status& status, Histogram RouteStatus::*member) {
  Histogram total;
  for (const RouteStatus& route : status.routes) {
    const Histogram& one = route.*member;
    for (std::size_t bucket = 0; bucket < total.counts.size(); ++bucket)
      total.counts[bucket] += one.counts[bucket];
    total.sum += one.sum;
  }
  return total;
}

template <class Value>
Value in_state(const std::map<std::string, Value>& by_state, std::string_view state) {
  const auto found = by_state.find(std::string(state));
  return found == by_state.end() ? Value() : found->second;
}

void backlog(Exposition& out, const Status& status) {
  per_route(out, status, "outbox_oldest_pending_age_seconds", "gauge",
            "Age of the oldest row that is to go out by itself, held or not; 0 when there is none.",
            [](const RouteStatus& route) { return route.oldest_pending_age_seconds; });
  per_route(out, status, "outbox_pending_messages", "gauge", "Rows that the route has not settled yet.",
            [](const RouteStatus& route) { return route.pending; });
  out.family("outbox_held_messages", "gauge",
             "Rows that the mark has passed and that are not sent, by state.");
  for (const RouteStatus& route : status.routes)
    for (const std::string_view state : held_states)
      out.sample({{"route", route.name}, {"state", state}}, in_state(route.held, state));
  out.family("outbox_oldest_held_age_seconds", "gauge",
             "Age of the oldest held row, by state; 0 when there is none.");
  for (const RouteStatus& route : status.routes)
    for (const std::string_view state : held_states)
      out.sample({{"route", route.name}, {"state", state}}, in_state(route.oldest_held_age_seconds, state));
  per_route(out, status, "outbox_inflight_messages", "gauge",
            "Messages given to the broker and not answered yet.",
            [](const RouteStatus& route) { return route.inflight; });
}

void deliveries(Exposition& out, const Status& status) {
  for (const RouteCounter& counter : route_counters) {
    if (counter.help.empty()) continue;
    const std::string name = "outbox_" + std::string(counter.name);
    if (counter.by_route) {
      per_route(out, status, name, "counter", counter.help,
                [&](const RouteStatus& route) { return route.*counter.value; });
      continue;
    }
    out.family(name, "counter", counter.help);
    out.sample({}, sum(status, counter.value));
  }
  out.family("outbox_publish_failures_total", "counter",
             "Attempts that the broker did not accept, by verdict.");
  for (const RouteStatus& route : status.routes)
    for (const Verdict verdict : failing_verdicts)
      out.sample({{"route", route.name}, {"verdict", name_of(verdict)}},
                 route.failures[static_cast<std::size_t>(verdict)]);
}

void times(Exposition& out, const Status& status) {
  out.family("outbox_delivery_seconds", "histogram",
             "From the row's created_at to the broker's acknowledgement.");
  for (const RouteStatus& route : status.routes) out.histogram({{"route", route.name}}, route.delivery);
  out.family("outbox_publish_seconds", "histogram", "From giving a message to the broker to its answer.");
  for (const RouteStatus& route : status.routes) out.histogram({{"route", route.name}}, route.publish);
  out.family("outbox_read_seconds", "histogram", "One read of a batch of rows.");
  out.histogram({}, merged(status, &RouteStatus::read));
  out.family("outbox_settle_seconds", "histogram", "One transaction that saves a mark.");
  out.histogram({}, merged(status, &RouteStatus::settle));
}

void leases(Exposition& out, const Status& status) {
  out.family("outbox_lease_epoch", "gauge", "Epoch of the lease as last seen; 0: not seen yet.");
  for (const RouteStatus& route : status.routes) {
    if (route.leases.empty()) out.sample({{"route", route.name}, {"shard", "0"}}, 0);
    for (const LeaseStatus& lease : route.leases)
      out.sample({{"route", route.name}, {"shard", std::to_string(lease.shard)}}, lease.epoch);
  }
}

void connections(Exposition& out, const Status& status) {
  per_route(out, status, "outbox_paused", "gauge", "1 while an operator has paused the route.",
            [](const RouteStatus& route) { return route.state == RouteState::paused ? 1 : 0; });
  per_route(out, status, "outbox_topics_in_trouble", "gauge",
            "Topics that the broker does not take at present.",
            [](const RouteStatus& route) { return route.topics.size(); });
  per_route(out, status, "outbox_connected", "gauge", "1 while the session with the broker is up.",
            [](const RouteStatus& route) { return route.connected ? 1 : 0; });
  out.family("outbox_database_connected", "gauge", "1 while the session with the database is up.");
  out.sample({}, status.database.connected ? 1 : 0);
  out.family("outbox_reconnects_total", "counter", "Sessions opened again after a loss.");
  out.sample({{"what", "broker"}}, sum(status, &RouteStatus::broker_reconnects_total));
  out.sample({{"what", "database"}}, sum(status, &RouteStatus::database_reconnects_total));
  out.family("outbox_wakeups_total", "counter", "What made the relay look for new rows.");
  out.sample({{"source", "notify"}}, sum(status, &RouteStatus::wakeups_notified_total));
  out.sample({{"source", "poll"}}, sum(status, &RouteStatus::wakeups_poll_total));
}

void relay(Exposition& out, const Status& status) {
  out.family("outbox_unattended_routes", "gauge",
             "Routes of the database that no relay runs: rows are kept for them.");
  out.sample({}, status.unattended.size());
  out.family("outbox_retention_removed_total", "counter", "Sent rows removed after their retention.");
  out.sample({}, status.retention_removed_total);
  out.family("outbox_retention_lag_seconds", "gauge",
             "By how much the oldest row that nobody holds is older than outbox.retention; 0: it is not.");
  out.sample({}, status.retention_lag_seconds);
  out.family("outbox_config_reload_success", "gauge",
             "1 when the last reload of the configuration succeeded.");
  out.sample({}, status.config_reload_success ? 1 : 0);
  out.family("outbox_build_info", "gauge", "The running version.");
  out.sample({{"version", status.version}}, 1);
}

void process(Exposition& out, const ProcessUsage& usage) {
  out.family("process_cpu_seconds_total", "counter", "User and system CPU time spent in seconds.");
  out.sample({}, usage.cpu_seconds);
  out.family("process_open_fds", "gauge", "Number of open file descriptors.");
  out.sample({}, usage.open_fds);
  out.family("process_max_fds", "gauge", "Maximum number of open file descriptors.");
  out.sample({}, usage.max_fds);
  out.family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
  out.sample({}, usage.virtual_memory_bytes);
  out.family("process_virtual_memory_max_bytes", "gauge",
             "Maximum amount of virtual memory available in bytes.");
  out.sample({}, usage.virtual_memory_max_bytes);
  out.family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
  out.sample({}, usage.resident_memory_bytes);
  out.family("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.");
  out.sample({}, usage.start_time_seconds);
  out.family("process_threads", "gauge", "Number of threads.");
  out.sample({}, usage.threads);
}

}  // namespace

std::string metrics_text(const Status& status, const ProcessUsage& usage) {
  Exposition out;
  backlog(out, status);
  deliveries(out, status);
  times(out, status);
  leases(out, status);
  connections(out, status);
  relay(out, status);
  process(out, usage);
  return out.take();
}

}  // namespace outbox
