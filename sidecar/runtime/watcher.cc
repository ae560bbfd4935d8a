#include "runtime/watcher.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/timestamp.h"
#include "core/shard.h"
#include "runtime/log.h"

namespace outbox {
namespace {

using namespace std::chrono_literals;

constexpr Duration watch_interval = 1s;
/// New lanes have not read anything: what they do not know yet is no backlog.
constexpr Duration first_look = 2 * watch_interval;
/// A route changes hands within a lease, and a pod within a few.
constexpr int patience_of_leases = 3;
constexpr std::size_t blocked_keys_max = 20;
constexpr std::size_t waiting_topics_max = 100;
/// Longer than an answer of one page takes.
constexpr Duration silence_max = 3s;
/// Retention may go on for so long before the watcher looks after the rest again.
constexpr Duration removal_time_max = 500ms;

}  // namespace

Watcher::Watcher(Options options, std::vector<WatchedRoute> routes, AdminOpener open)
    : options_(std::move(options)),
      routes_(std::move(routes)),
      open_(std::move(open)),
      is_sharded_(
          std::ranges::any_of(routes_, [](const WatchedRoute& route) { return route.lanes.size() > 1; })),
      memory_(routes_.size()),
      unattended_routes_(std::max<Duration>(patience_of_leases * options_.lease, first_look)),
      seen_(routes_.size()) {
  for (Seen& seen : seen_) seen.at = now();
}

void Watcher::start() {
  const auto wake = [this] {
    { const std::lock_guard lock(mutex_); }  // run() is either before its check or asleep
    ended_.notify_all();
  };
  thread_.start(
      "watcher", [this] { run(); }, wake);
}

Watcher::Seen Watcher::seen(std::size_t route) const {
  const std::lock_guard lock(mutex_);
  return seen_[route];
}

DatabaseStatus Watcher::database() const {
  const std::lock_guard lock(mutex_);
  DatabaseStatus database = database_;
  if (const Duration silence = asked_at_ ? now() - *asked_at_ : Duration::zero(); silence > silence_max) {
    database.connected = false;
    database.last_error = "the database has not answered for " +
                          std::to_string(std::chrono::floor<std::chrono::seconds>(silence).count()) + " s";
    database.last_error_at = format_in_seconds(wall_clock());
  }
  return database;
}

std::vector<UnattendedStatus> Watcher::unattended() const {
  const std::lock_guard lock(mutex_);
  return unattended_;
}

std::vector<RelayStatus> Watcher::relays() const {
  const std::lock_guard lock(mutex_);
  return relays_;
}

Duration Watcher::retention_lag() const {
  const std::lock_guard lock(mutex_);
  return retention_lag_;
}

std::uint64_t Watcher::removed_total() const {
  const std::lock_guard lock(mutex_);
  return removed_total_;
}

void Watcher::run() {
  if (options_.once) adopt_at_start();
  std::unique_lock lock(mutex_);
  while (!thread_.stopping()) {
    asked_at_ = now();
    lock.unlock();
    if (Admin* admin = opened()) watch_once(*admin);
    lock.lock();
    ended_.wait_for(lock, watch_interval, [&] { return thread_.stopping(); });
  }
  lock.unlock();
  if (admin_ && joined_at_) (void)admin_->leave(options_.instance);
}

Admin* Watcher::opened() {
  if (!admin_)
    if (auto admin = open_()) admin_ = std::move(*admin);
  return admin_.get();
}

void Watcher::watch_once(Admin& admin) {
  const auto rows = admin.routes();
  {
    const std::lock_guard lock(mutex_);
    asked_at_.reset();
    database_.connected = rows.ok();
    database_.seen = database_.seen || rows.ok();
    database_.last_error = rows ? "" : rows.error().text;
    database_.last_error_at = rows ? "" : format_in_seconds(wall_clock());
  }
  if (!rows) return;
  pass_on_flags(*rows);
  if (options_.once) return;
  look_for_unattended(*rows);
  if (join(admin, *rows)) share_out(*rows);
  adopt_unrouted(admin);
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    count_held(admin, i);
    measure_backlog(admin, i);
  }
  // each route's rows are all rows: none goes before the relay that asks for most would let it go
  Duration kept = options_.retention.sent;
  for (const RouteShard& row : *rows) kept = std::max(kept, row.retention);
  remove_sent(admin, kept);
  measure_retention(admin, kept);
}

void Watcher::look_for_unattended(const std::vector<RouteShard>& rows) {
  const auto is_ours = [&](const std::string& name) {
    return std::ranges::any_of(routes_, [&](const WatchedRoute& route) { return route.name == name; });
  };
  auto found = unattended_routes_.look(now(), rows, is_ours);
  const auto names = [](const auto& route) { return route.name; };
  for (const auto& route : found)
    if (std::ranges::find(unattended_, route.name, names) == unattended_.end())
      log_line(Level::warning, "route.unattended",
               {{"route", route.name},
                {"what", "no relay runs it: rows that it has not sent are kept for it"},
                {"fix", "if it is given up: outboxd route drop " + route.name}});
  const std::lock_guard lock(mutex_);
  unattended_ = std::move(found);
}

void Watcher::pass_on_flags(const std::vector<RouteShard>& rows) {
  std::map<std::string, std::string> topics;
  for (const RouteShard& row : rows) topics[row.route] += row.topics;
  if (std::exchange(topics_, topics) != topics)
    for (const WatchedRoute& route : routes_)
      for (Lane* lane : route.lanes) lane->held_changed();  // it looks at what others take as well
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    Memory& memory = memory_[i];
    for (const RouteShard& row : rows) {
      if (row.route != routes_[i].name) continue;
      for (Lane* lane : routes_[i].lanes)
        if (lane->shard() == row.shard) lane->set_paused(row.paused);
      if (row.held_version <= memory.held_version) continue;
      memory.held_version = row.held_version;
      memory.held_any = true;
      memory.held.hurry();
      for (Lane* lane : routes_[i].lanes) lane->held_changed();
    }
  }
}

/// Gives a sign of life now and then, and notes those of others. True: just now.
bool Watcher::join(Admin& admin, const std::vector<RouteShard>& rows) {
  const Instant begun = now();
  const Duration interval =
      is_sharded_ ? Duration::zero() : std::min<Duration>(options_.lease / 3, sign_of_life_interval_max);
  bool joined = false;
  if (!joined_at_ || begun >= *joined_at_ + interval)
    if (auto members = admin.join(options_.instance)) {
      joined = true;
      joined_at_ = begun;
      members_ = std::move(*members);
    }
  const Duration since = joined_at_ ? begun - *joined_at_ : Duration::zero();
  auto relays = known_relays(options_.instance, options_.lease, members_, since, rows);
  const std::lock_guard lock(mutex_);
  relays_ = std::move(relays);
  return joined;
}

/// With one shard the first come holds it and the others stand by.
void Watcher::share_out(const std::vector<RouteShard>& rows) {
  if (!is_sharded_) return;
  const std::set<std::string> live = live_relays();
  for (const WatchedRoute& route : routes_) {
    std::vector<std::string> holders(route.lanes.size());
    for (const RouteShard& row : rows)
      if (row.route == route.name && static_cast<std::size_t>(row.shard) < holders.size())
        holders[static_cast<std::size_t>(row.shard)] = row.owner;
    const std::vector<bool> wanted = wanted_shards(options_.instance, live, holders);
    for (std::size_t shard = 0; shard < wanted.size(); ++shard) route.lanes[shard]->set_wanted(wanted[shard]);
  }
}

/// Judged by our own clock: a relay whose beat has not moved for a lease takes no part.
std::set<std::string> Watcher::live_relays() {
  const Instant now = outbox::now();
  std::set<std::string> live = {options_.instance};
  for (const RelayMember& member : members_) {
    const auto [known, is_new] =
        beats_.try_emplace(member.owner, LastBeat{member.beat, now - options_.lease});
    if (known->second.beat != member.beat) known->second = {member.beat, now};
    if (now - known->second.moved < options_.lease) live.insert(member.owner);
  }
  std::erase_if(beats_, [&](const auto& each) {
    return std::ranges::none_of(members_,
                                [&](const RelayMember& member) { return member.owner == each.first; });
  });
  return live;
}

void Watcher::adopt_at_start() {
  if (Admin* admin = opened())
    for (std::size_t i = 0; i < routes_.size(); ++i)
      if (!adopt(*admin, i)) break;
  options_.adopted();
}

void Watcher::adopt_unrouted(Admin& admin) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (memory_[i].adopted) continue;
    if (std::ranges::none_of(routes_[i].lanes, [](const Lane* lane) { return lane->holding(); })) continue;
    if (!adopt(admin, i)) return;
    memory_[i].adopted = true;
  }
}

/// False: the database did not let it.
bool Watcher::adopt(Admin& admin, std::size_t index) {
  const WatchedRoute& route = routes_[index];
  auto topics = admin.unrouted_topics();
  if (!topics) return false;
  std::erase_if(*topics, [&](const std::string& topic) { return !route.topics.take(topic); });
  if (topics->empty()) return true;
  const auto adopted = admin.adopt(route.name, *topics);
  if (!adopted) return false;
  log_line(Level::info, "rows.adopted", {{"route", route.name}, {"rows", *adopted}});
  for (Lane* lane : route.lanes) lane->held_changed();
  return true;
}

void Watcher::count_held(Admin& admin, std::size_t index) {
  Memory& memory = memory_[index];
  const auto holds_any = [](const Lane* lane) { return !lane->holding() || lane->held_total() > 0; };
  if (std::ranges::none_of(routes_[index].lanes, holds_any)) {
    if (std::exchange(memory.held_any, false)) forget_held(index);
    return;
  }
  const Instant begun = now();
  if (!memory.held.is_due(begun)) return;
  auto held = admin.held_counts(routes_[index].name);
  Result<std::vector<BlockedKey>> keys = std::vector<BlockedKey>();
  Result<std::vector<WaitingTopic>> topics = std::vector<WaitingTopic>();
  if (held && !held->empty()) keys = admin.blocked_keys(routes_[index].name, blocked_keys_max);
  if (held && held->contains(HeldState::retrying))
    topics = admin.waiting_topics(routes_[index].name, waiting_topics_max);
  const Instant ended = now();
  memory.held.done(begun, ended);
  if (!held || !keys || !topics) return;
  memory.held_any = !held->empty();
  const std::lock_guard lock(mutex_);
  seen_[index].held = std::move(*held);
  seen_[index].blocked_keys = std::move(*keys);
  seen_[index].topics = std::move(*topics);
  seen_[index].held_at = ended;
}

/// The lanes know by themselves that there is nothing.
void Watcher::forget_held(std::size_t index) {
  const std::lock_guard lock(mutex_);
  seen_[index].held.clear();
  seen_[index].blocked_keys.clear();
  seen_[index].topics.clear();
}

/// Only what the lanes cannot know by themselves: how much lies beyond what they have read.
void Watcher::measure_backlog(Admin& admin, std::size_t index) {
  const auto& lanes = routes_[index].lanes;
  const Instant begun = now();
  if (std::ranges::all_of(lanes, [](const Lane* lane) { return lane->knows_backlog(); })) {
    const std::lock_guard lock(mutex_);
    seen_[index].known = false;
    return;
  }
  if (!memory_[index].backlog.is_due(begun) || begun < started_at_ + first_look) return;
  std::uint64_t sent_total = 0;
  for (const Lane* lane : lanes) sent_total += lane->sent_total();
  const auto backlog = admin.backlog(routes_[index].name);
  if (!backlog) return;
  const Instant now = outbox::now();
  memory_[index].backlog.done(begun, now);
  const std::lock_guard lock(mutex_);
  Seen& seen = seen_[index];
  seen.backlog = *backlog;
  seen.at = now;
  seen.sent_total = sent_total;
  seen.known = true;
}

void Watcher::log_removal(const Result<Removed>& removed) {
  switch (removal_trouble_.look(now(), !removed.ok())) {
    case TroubleTelling::Tell::nothing:
      break;
    case TroubleTelling::Tell::begins:
    case TroubleTelling::Tell::goes_on:
      log_line(Level::warning, "retention.failed",
               {{"error", removed.error().text},
                {"next", "sent rows stay until it works; trying again every second"}});
      break;
    case TroubleTelling::Tell::ends:
      log_line(Level::info, "retention.works");
      break;
  }
}

void Watcher::measure_retention(Admin& admin, Duration kept) {
  const Instant begun = now();
  if (!lag_.is_due(begun)) return;
  const auto age = admin.oldest_row_age();
  lag_.done(begun, now());
  if (!age) return;
  const std::lock_guard lock(mutex_);
  retention_lag_ = std::max(*age - kept, Duration::zero());
}

/// One relay is enough for it: the one that holds the first shard of the first route.
void Watcher::remove_sent(Admin& admin, Duration kept) {
  if (routes_.empty() || !routes_.front().lanes.front()->holding()) return;
  Retention retention = options_.retention;
  retention.sent = kept;
  const Instant begun = now();
  for (bool more = true; more && now() - begun < removal_time_max;) {
    const auto removed = admin.remove_sent(retention);
    log_removal(removed);
    if (!removed) return;
    more = removed->more && removed->rows > 0;  // none: a service was writing
    const std::lock_guard lock(mutex_);
    removed_total_ += removed->rows;
    if (thread_.stopping()) return;
  }
}

}  // namespace outbox
