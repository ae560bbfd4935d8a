#include "runtime/relay_process.h"

#include <algorithm>
#include <utility>

#include "runtime/log.h"
#include "runtime/thread_name.h"
#include "runtime/wall_time.h"

namespace outbox {
namespace {

using namespace std::chrono_literals;

constexpr Duration watch_interval = 1s;
constexpr Duration round_missing_max = 30s;
/// Counting a backlog may use this share of the time at the most: one part in so many.
constexpr int measure_share = 50;

bool waits_for_itself(RouteState state) {
  return state != RouteState::running && state != RouteState::draining;
}

}  // namespace

RelayProcess::RelayProcess(ProcessOptions options, std::vector<LanePlan> lanes, AdminOpener open_admin)
    : options_(std::move(options)),
      open_admin_(std::move(open_admin)),
      started_at_(std::chrono::steady_clock::now()),
      started_at_text_(wall_time_text()),
      measure_pause_(lanes.size(), 2 * watch_interval),
      measured_(lanes.size(), {{}, started_at_, 0, false}) {
  database_.kind = options_.database_kind;
  database_.url = options_.database_url;
  for (LanePlan& plan : lanes) {
    Lane::Hooks hooks{[this, index = lanes_.size()] { nudge_others(index); }, [this] { lane_finished(); }};
    lanes_.push_back(std::make_unique<Lane>(std::move(plan.relay), std::move(plan.to), std::move(plan.store),
                                            std::move(plan.broker), std::move(hooks)));
  }
}

/// The database told one session of a commit; all want to know.
void RelayProcess::nudge_others(std::size_t index) {
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (i != index) lanes_[i]->nudge();
}

void RelayProcess::lane_finished() {
  { const std::lock_guard lock(mutex_); }  // run() is either before its check or asleep
  changed_.notify_all();
}

RelayProcess::~RelayProcess() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  lanes_.clear();  // a lane that has finished may still be about to say so
}

bool RelayProcess::run() {
  for (const auto& lane : lanes_) lane->start();
  watcher_ = std::thread([this] { watch(); });
  progress_at_ = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  bool told = false;
  while (!finished()) {
    changed_.wait_for(lock, options_.once ? 100ms : 1s, [&] { return (stopping_ && !told) || finished(); });
    const bool gives_up = options_.once && !progressing(std::chrono::steady_clock::now());
    if ((stopping_ || gives_up) && !std::exchange(told, true)) {
      lock.unlock();
      log_line(Level::info, "relay.stopping", {{"instance", options_.instance}});
      for (const auto& lane : lanes_) lane->stop();
      lock.lock();
    }
  }
  lock.unlock();
  return unsent().empty();
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

std::vector<std::string> RelayProcess::unsent() const {
  std::vector<std::string> lines;
  for (const auto& lane : lanes_) {
    if (lane->all_through() && lane->unrouted_total() == 0) continue;
    const RouteStatus status = lane->status();
    std::string line = "route " + status.name + " to " + status.to + ": ";
    if (status.pending > 0)
      line += "at least " + std::to_string(status.pending) + " messages unsent";
    else
      line += lane->all_through() ? "all its own messages are sent" : "not everything is known to be sent";
    for (const std::string& reason : status.reasons) line += "; " + reason;
    if (status.reasons.empty() && !status.last_error.empty()) line += "; " + status.last_error;
    lines.push_back(std::move(line));
  }
  return lines;
}

// ---- the watcher ----

void RelayProcess::watch() {
  name_thread("watcher");
  std::unique_ptr<Admin> admin;
  std::unique_lock lock(mutex_);
  while (!ended_) {
    lock.unlock();
    if (!admin) {
      auto opened = open_admin_();
      if (opened) admin = std::move(*opened);
    }
    if (admin) watch_once(*admin);
    lock.lock();
    changed_.wait_for(lock, watch_interval, [&] { return ended_; });
  }
}

void RelayProcess::watch_once(Admin& admin) {
  const auto routes = admin.routes();
  {
    const std::lock_guard lock(mutex_);
    database_.connected = routes.ok();
    database_.seen = database_.seen || routes.ok();
    database_.last_error = routes ? "" : routes.error().text;
  }
  if (!routes) return;
  for (const auto& lane : lanes_)
    for (const RouteShard& row : *routes)
      if (row.route == lane->route()) lane->set_paused(row.paused);
  for (std::size_t i = 0; i < lanes_.size() && !options_.once; ++i) measure_backlog(admin, i);
}

/// Only what the lane cannot know by itself: how much lies beyond what it has read.
void RelayProcess::measure_backlog(Admin& admin, std::size_t index) {
  const Instant begun = std::chrono::steady_clock::now();
  if (begun < measured_[index].at + measure_pause_[index] || lanes_[index]->all_through()) return;
  const std::uint64_t sent_total = lanes_[index]->sent_total();
  const auto backlog = admin.backlog(lanes_[index]->route());
  if (!backlog) return;
  const Instant now = std::chrono::steady_clock::now();
  measure_pause_[index] = std::max<Duration>(5s, (now - begun) * measure_share);
  const std::lock_guard lock(mutex_);
  measured_[index] = {*backlog, now, sent_total, true};
}

// ---- what others ask ----

/// The lane knows what it has read; when there is more, the last count less what was sent since is the better
/// answer.
void RelayProcess::merge_measured(RouteStatus& route, const Measured& measured) const {
  if (route.pending_exact || !measured.known) return;
  const auto sent_since =
      static_cast<std::int64_t>(route.sent_total - std::min(route.sent_total, measured.sent_total));
  route.pending = std::max(route.pending, measured.backlog.pending - sent_since);
  if (route.oldest_pending_age_seconds == 0 && route.pending > 0) {
    const Duration age = measured.backlog.oldest_age + (std::chrono::steady_clock::now() - measured.at);
    route.oldest_pending_age_seconds = std::chrono::duration<double>(age).count();
  }
}

Status RelayProcess::status() const {
  Status status;
  status.version = options_.version;
  status.instance = options_.instance;
  status.started_at = started_at_text_;
  status.uptime_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_at_).count();
  for (const auto& lane : lanes_) status.routes.push_back(lane->status());
  bool all_paused = true;
  {
    const std::lock_guard lock(mutex_);
    status.database = database_;
    status.state = stopping_ ? "draining" : "running";
    for (std::size_t i = 0; i < lanes_.size(); ++i) merge_measured(status.routes[i], measured_[i]);
  }
  if (!status.database.connected && !status.database.last_error.empty())
    status.reasons.push_back(status.database.last_error);
  for (const RouteStatus& route : status.routes) {
    all_paused = all_paused && route.state == RouteState::paused;
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
  const Instant now = std::chrono::steady_clock::now();
  for (const auto& lane : lanes_)
    if (!lane->finished() && now - lane->last_round() > round_missing_max)
      names.push_back("route " + lane->route());
  return names;
}

}  // namespace outbox
