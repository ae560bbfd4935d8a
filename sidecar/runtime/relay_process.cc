#include "runtime/relay_process.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "base/timestamp.h"
#include "runtime/log.h"

namespace outbox {
namespace {

using namespace std::chrono_literals;

constexpr Duration round_missing_max = 30s;
constexpr Duration status_wait_max = 250ms;
constexpr std::size_t topic_reasons_max = 10;
/// Of a route's held rows, and how many of them one line names.
constexpr std::size_t unsent_looked_at_max = 1'000;
constexpr std::size_t unsent_shown_max = 5;

bool waits_for_itself(RouteState state) {
  return state != RouteState::running && state != RouteState::draining;
}

/// Shards of one route come one after the other.
std::vector<WatchedRoute> routes_of(const std::vector<std::unique_ptr<Lane>>& lanes) {
  std::vector<WatchedRoute> routes;
  for (const auto& lane : lanes) {
    if (routes.empty() || routes.back().name != lane->route())
      routes.push_back({lane->route(), lane->topics(), {}});
    routes.back().lanes.push_back(lane.get());
  }
  return routes;
}

// ---- the status of a route from those of its shards ----

/// The state of the route is the first of these that one of its shards is in.
constexpr std::array<RouteState, 8> by_importance = {
    RouteState::misconfigured, RouteState::stopped,  RouteState::backoff, RouteState::draining,
    RouteState::paused,        RouteState::starting, RouteState::running, RouteState::standby};

std::ptrdiff_t importance(RouteState state) {
  return std::ranges::find(by_importance, state) - by_importance.begin();
}

void add(Histogram& into, const Histogram& from) {
  for (std::size_t i = 0; i < into.counts.size(); ++i) into.counts[i] += from.counts[i];
  into.sum += from.sum;
}

void add(RouteStatus& into, RouteStatus& from) {
  if (importance(from.state) < importance(into.state)) into.state = from.state;
  for (std::string& reason : from.reasons)
    if (std::ranges::find(into.reasons, reason) == into.reasons.end())
      into.reasons.push_back(std::move(reason));
  into.connected = into.connected || from.connected;
  into.pending += from.pending;
  into.pending_exact = into.pending_exact && from.pending_exact;
  into.oldest_pending_age_seconds =
      std::max(into.oldest_pending_age_seconds, from.oldest_pending_age_seconds);
  for (const RouteCounter& counter : route_counters) into.*counter.value += from.*counter.value;
  for (std::size_t i = 0; i < into.failures.size(); ++i) into.failures[i] += from.failures[i];
  into.inflight += from.inflight;
  if (from.last_error_at > into.last_error_at) {
    into.last_error = std::move(from.last_error);
    into.last_error_at = std::move(from.last_error_at);
  }
  into.last_success_at = std::max(into.last_success_at, from.last_success_at);
  add(into.delivery, from.delivery);
  add(into.publish, from.publish);
  add(into.read, from.read);
  add(into.settle, from.settle);
  into.leases.insert(into.leases.end(), from.leases.begin(), from.leases.end());
  into.topics.insert(into.topics.end(), from.topics.begin(), from.topics.end());
}

RouteStatus merged(std::vector<RouteStatus> shards) {
  RouteStatus result = std::move(shards.front());
  for (std::size_t i = 1; i < shards.size(); ++i) add(result, shards[i]);
  return result;
}

/// The lanes know what they have read; when there is more, the last count less what was sent since is the
/// better answer.
void add_backlog(RouteStatus& route, const Watcher::Seen& seen) {
  if (route.pending_exact || !seen.known) return;
  const auto sent_since =
      static_cast<std::int64_t>(route.sent_total - std::min(route.sent_total, seen.sent_total));
  route.pending = std::max(route.pending, seen.backlog.pending - sent_since);
  // Of what it has read itself it knows better.
  const bool all_mine = std::ranges::all_of(route.leases, &LeaseStatus::mine);
  double& age = route.oldest_pending_age_seconds;
  if (route.pending > 0 && (age == 0 || !all_mine))
    age = std::max(age, in_seconds(seen.backlog.oldest_age + (now() - seen.at)));
}

void add_held(RouteStatus& route, const Watcher::Seen& seen) {
  const Duration since = now() - seen.held_at;
  for (const auto& [state, count] : seen.held) {
    const std::string name(name_of(state));
    route.held[name] = count.rows;
    route.oldest_held_age_seconds[name] = in_seconds(count.oldest_age + since);
  }
  if (const Duration oldest = oldest_waiting({}, seen.held); oldest > Duration::zero())
    route.oldest_pending_age_seconds = std::max(route.oldest_pending_age_seconds, in_seconds(oldest + since));
  for (const BlockedKey& key : seen.blocked_keys)
    route.blocked_keys.push_back({key.key, key.seq, key.id, key.state, key.attempts, key.last_error,
                                  in_seconds(key.age + since), key.rows});
}

/// Each shard knows of those that it has tried, the database of those that rows wait for.
void add_topics(RouteStatus& route, const Watcher::Seen& seen) {
  std::map<std::string, TopicTroubleStatus> topics;
  for (TopicTroubleStatus& trouble : route.topics) topics.try_emplace(trouble.topic, trouble);
  for (const WaitingTopic& waiting : seen.topics) {
    const auto [known, is_new] = topics.try_emplace(waiting.topic);
    if (is_new) known->second = topic_status(waiting, now() - seen.held_at);
    known->second.waiting = waiting.rows;
  }
  route.topics.clear();
  for (const auto& [name, trouble] : topics) {
    if (route.topics.size() < topic_reasons_max) route.reasons.push_back(reason_of(trouble));
    route.topics.push_back(trouble);
    route.topics.back().topic = cut(name);
  }
}

}  // namespace

RelayProcess::RelayProcess(ProcessOptions options, std::vector<LanePlan> lanes,
                           Watcher::AdminOpener open_admin)
    : options_(std::move(options)),
      open_admin_(open_admin),
      started_at_(now()),
      started_at_text_(format_in_seconds(wall_clock())) {
  for (LanePlan& plan : lanes) {
    Lane::Hooks hooks{[this, index = lanes_.size()] { nudge_others(index); },
                      [this] { something_happened(); }};
    lanes_.push_back(std::make_unique<Lane>(std::move(plan.relay), std::move(plan.to), std::move(plan.store),
                                            std::move(plan.broker), std::move(hooks)));
  }
  watcher_ = std::make_unique<Watcher>(
      Watcher::Options{options_.instance, options_.lease, options_.retention, options_.once,
                       [this] {
                         adopted_ = true;
                         something_happened();
                       }},
      routes_of(lanes_), std::move(open_admin));
  troubles_.assign(watcher_->routes().size(), TroubleTelling(options_.trouble_again));
}

/// The database told one session of a commit; all want to know.
void RelayProcess::nudge_others(std::size_t index) {
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (i != index) lanes_[i]->nudge();
}

void RelayProcess::something_happened() {
  { const std::lock_guard lock(mutex_); }  // run() is either before its check or asleep
  changed_.notify_all();
}

RelayProcess::~RelayProcess() {
  watcher_.reset();
  lanes_.clear();  // a lane that has finished may still be about to say so
}

bool RelayProcess::run() {
  std::unique_lock lock(mutex_);
  if (options_.once) {
    watcher_->start();
    changed_.wait(lock, [&] { return adopted_ || stopping_; });
  }
  lock.unlock();
  for (const auto& lane : lanes_) lane->start();
  watcher_->start();
  progress_at_ = now();
  lock.lock();
  bool told = false;
  while (!finished()) {
    changed_.wait_for(lock, options_.once ? 100ms : 1s, [&] { return (stopping_ && !told) || finished(); });
    const bool gives_up = options_.once && !progressing(now());
    if ((stopping_ || gives_up) && !std::exchange(told, true)) {
      lock.unlock();
      log_line(Level::info, "relay.stopping", {{"instance", options_.instance}});
      for (const auto& lane : lanes_) lane->stop();
      lock.lock();
    }
    lock.unlock();
    log_lasting_troubles();
    lock.lock();
  }
  lock.unlock();
  return unsent().empty();
}

/// Lanes tell of each change; this says that nothing has changed, and what has come together since.
void RelayProcess::log_lasting_troubles() {
  const Instant now = outbox::now();
  for (std::size_t i = 0; i < troubles_.size(); ++i) {
    const bool is_there = std::ranges::any_of(watcher_->routes()[i].lanes, &Lane::troubled);
    if (troubles_[i].look(now, is_there) != TroubleTelling::Tell::goes_on) continue;
    const Duration lasted = now - troubles_[i].since();
    const RouteStatus route = status_of(i, statuses(watcher_->routes()[i].lanes));
    std::int64_t held = 0;
    for (const auto& [state, rows] : route.held) held += rows;
    log_line(
        Level::warning, "route.trouble",
        {{"route", route.name},
         {"state", name_of(route.state)},
         {"since", format_in_seconds(wall_clock() - std::chrono::floor<std::chrono::microseconds>(lasted))},
         {"pending", route.pending},
         {"oldest_pending_age_seconds", route.oldest_pending_age_seconds},
         {"held", held},
         {"reason", reasons_of(route)}});
  }
}

void RelayProcess::request_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool RelayProcess::finished() const {
  return std::ranges::all_of(lanes_, [](const auto& lane) { return lane->finished(); });
}

bool RelayProcess::progressing(Instant now) {
  std::uint64_t sent = 0;
  for (const auto& lane : lanes_) sent += lane->sent_total();
  if (sent != progress_mark_) {
    progress_mark_ = sent;
    progress_at_ = now;
  }
  return now - progress_at_ < options_.patience;
}

/// ": seq 3, topic carts, dead: too large; ...", the first few; empty when the database does not say.
std::string RelayProcess::held_rows(const std::string& route, int shard) const {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return "";  // nobody waits for a database now
  }
  const auto admin = open_admin_();
  if (!admin) return "";
  HeldFilter filter;
  filter.route = route;
  const auto rows = (*admin)->held(filter, std::nullopt, unsent_looked_at_max);
  if (!rows) return "";
  std::string text;
  std::size_t shown = 0;
  for (const HeldEntry& row : *rows) {
    if (row.shard != shard) continue;
    if (++shown > unsent_shown_max) return text + ", ...";
    text += (shown == 1 ? ": seq " : ", seq ") + std::to_string(row.seq) + " of topic " +
            printable(row.topic, 60) + " (" + std::string(name_of(row.state)) +
            (row.last_error.empty() ? ")" : ": " + row.last_error + ")");
  }
  return text;
}

std::vector<std::string> RelayProcess::unsent() const {
  std::vector<std::string> lines;
  for (const auto& lane : lanes_) {
    if (lane->all_through() && lane->held_total() == 0) continue;
    const RouteStatus status = statuses({lane.get()}).front();
    std::string line = "route " + status.name + " to " + status.to + ": ";
    if (status.pending > 0)
      line += "at least " + std::to_string(status.pending) + " messages unsent";
    else
      line += lane->all_through() ? "all others are sent" : "not everything is known to be sent";
    if (lane->held_total() > 0)
      line += "; " + std::to_string(lane->held_total()) + " messages are held, see `outboxd held list`" +
              held_rows(lane->route(), lane->shard());
    for (const std::string& reason : status.reasons) line += "; " + reason;
    if (status.reasons.empty() && !status.last_error.empty()) line += "; " + status.last_error;
    lines.push_back(std::move(line));
  }
  return lines;
}

// ---- what others ask ----

std::vector<RouteStatus> RelayProcess::statuses(const std::vector<Lane*>& lanes) const {
  for (const Lane* lane : lanes) lane->ask_for_status();
  const Instant until = now() + status_wait_max;
  std::vector<RouteStatus> result;
  for (const Lane* lane : lanes) result.push_back(lane->status(until));
  return result;
}

RouteStatus RelayProcess::status_of(std::size_t route, std::vector<RouteStatus> shards) const {
  RouteStatus status = merged(std::move(shards));
  const Watcher::Seen seen = watcher_->seen(route);
  add_backlog(status, seen);
  add_held(status, seen);
  add_topics(status, seen);
  return status;
}

Status RelayProcess::status() const {
  Status status;
  status.version = options_.version;
  status.instance = options_.instance;
  status.started_at = started_at_text_;
  status.uptime_seconds = in_seconds(now() - started_at_);
  std::vector<Lane*> lanes;
  for (const auto& lane : lanes_) lanes.push_back(lane.get());
  std::vector<RouteStatus> all = statuses(lanes);
  auto next = all.begin();
  for (std::size_t i = 0; i < watcher_->routes().size(); ++i) {
    const auto end = next + std::ssize(watcher_->routes()[i].lanes);
    status.routes.push_back(status_of(i, {std::move_iterator(next), std::move_iterator(end)}));
    next = end;
  }
  status.unattended = watcher_->unattended();
  status.relays = watcher_->relays();
  status.retention_removed_total = watcher_->removed_total();
  status.retention_lag_seconds = in_seconds(watcher_->retention_lag());
  status.database = watcher_->database();
  status.database.kind = options_.database_kind;
  status.database.url = options_.database_url;
  bool all_paused = true;
  {
    const std::lock_guard lock(mutex_);
    status.state = stopping_ ? "draining" : "running";
  }
  if (!status.database.connected && !status.database.last_error.empty())
    status.reasons.push_back(status.database.last_error);
  for (const RouteStatus& route : status.routes) {
    all_paused = all_paused && route.state == RouteState::paused;
    if (!route.topics.empty())
      status.reasons.push_back("route " + route.name + ": " + std::to_string(route.topics.size()) +
                               " topics are in trouble, " + route.topics.front().topic + " first");
    if (!waits_for_itself(route.state) || route.state == RouteState::standby ||
        route.state == RouteState::paused)
      continue;
    status.reasons.push_back("route " + route.name + " is " + std::string(name_of(route.state)));
  }
  if (status.state == "draining") return status;
  if (!status.reasons.empty())
    status.state = "degraded";
  else if (all_paused)
    status.state = "paused";
  return status;
}

std::vector<std::string> RelayProcess::stuck() const {
  std::vector<std::string> names;
  const Instant now = outbox::now();
  for (const auto& lane : lanes_)
    if (!lane->finished() && now - lane->last_round() > round_missing_max)
      names.push_back("route " + lane->route());
  return names;
}

}  // namespace outbox
