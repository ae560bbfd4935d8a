#include "runtime/lane.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/timestamp.h"
#include "runtime/crash_point.h"
#include "runtime/log.h"

namespace outbox {
namespace {

constexpr Duration round_time_max = std::chrono::seconds(1);
constexpr Duration topic_look_interval = std::chrono::milliseconds(200);

Level level_of(RouteState state) {
  switch (state) {
    case RouteState::starting:
    case RouteState::running:
    case RouteState::standby:
    case RouteState::paused:
    case RouteState::draining:
      return Level::info;
    case RouteState::backoff:
      return Level::warning;
    case RouteState::misconfigured:
    case RouteState::stopped:
      return Level::error;
  }
  return Level::info;
}

}  // namespace

Lane::Lane(RelayOptions options, std::string to, std::unique_ptr<Store> store, std::unique_ptr<Broker> broker,
           Hooks hooks)
    : options_(std::move(options)),
      to_(std::move(to)),
      store_(std::move(store)),
      broker_(std::move(broker)),
      hooks_(std::move(hooks)),
      last_round_(now().time_since_epoch().count()) {
  status_.name = options_.route;
  status_.to = to_;
}

void Lane::start() {
  worker_ = std::make_unique<StoreWorker>(std::move(store_), [this](Event event) { post(std::move(event)); });
  started_ = true;
  thread_.start(
      "route " + options_.route, [this] { run(); }, [this] { broker_->wake(); });
}

void Lane::set_paused(bool paused) {
  post(paused ? Event(Pause{}) : Event(Resume{}));
}

void Lane::post(Event event) {
  {
    const std::lock_guard lock(events_mutex_);
    events_.push_back(std::move(event));
  }
  broker_->wake();
}

Instant Lane::last_round() const {
  return Instant(Duration(last_round_.load()));
}

void Lane::ask_for_status() const {
  {
    const std::lock_guard lock(status_mutex_);
    ++status_asked_;
    status_wanted_ = true;
  }
  broker_->wake();
}

RouteStatus Lane::status(Instant until) const {
  std::unique_lock lock(status_mutex_);
  if (started_)
    status_shown_.wait_until(lock, until, [this] { return status_answered_ == status_asked_ || finished_; });
  return status_;
}

void Lane::run() {
  Relay relay(options_);
  Commands commands;
  Answers answers;
  while (!thread_.stopping()) {
    const Instant now = outbox::now();
    last_round_ = now.time_since_epoch().count();
    absorb_events(relay, now);
    if (!answers.deliveries.empty() || answers.session) relay.absorb(now, BrokerAnswer{&answers});
    answers.clear();
    commands.clear();
    relay.plan(now, commands);
    carry_out(commands);
    sent_total_ = relay.sent_total();
    all_through_ = relay.all_through();
    knows_backlog_ = relay.knows_backlog();
    held_total_ = relay.held_total();
    holding_ = relay.holding();
    log_counts(relay, now, commands.finished);
    log_topics(relay, now);
    log_state(relay, now);
    troubled_ = trouble_.present() || !topics_.empty();
    if (status_wanted_.exchange(false)) show_status(relay, now);
    if (commands.finished) break;
    broker_->poll(idle_time(commands, now), answers);
    if (!answers.deliveries.empty()) crash_point("deliveries.after");
  }
  show_status(relay, now());
  finished_ = true;
  hooks_.finished();
}

bool Lane::absorb_events(Relay& relay, Instant now) {
  absorbed_.clear();
  {
    const std::lock_guard lock(events_mutex_);
    absorbed_.swap(events_);
  }
  for (Event& event : absorbed_) {
    if (const auto* acquired = std::get_if<AcquireAnswer>(&event)) log_reset(*acquired);
    const auto* woken = std::get_if<WaitAnswer>(&event);
    const bool notified = woken && woken->result && *woken->result == Woken::notified;
    relay.absorb(now, std::move(event));
    if (notified) hooks_.commit_seen();
  }
  return !absorbed_.empty();
}

void Lane::log_reset(const AcquireAnswer& answer) {
  const auto* granted = answer.result ? std::get_if<Granted>(&*answer.result) : nullptr;
  if (!granted || granted->reset.empty()) return;
  log_line(Level::warning, "mark.reset",
           {{"route", options_.route},
            {"reason", granted->reset},
            {"next", "starting at its oldest row: what was sent comes again, nothing is passed over"}});
}

void Lane::carry_out(Commands& commands) {
  worker_->accept(commands);
  if (commands.connect) {
    crash_point("connect.before");
    broker_->connect();
    crash_point("connect.after");
  }
  if (!commands.publish.empty()) {
    crash_point("submit.before");
    broker_->submit(commands.publish);
    crash_point("submit.after");
  }
}

Duration Lane::idle_time(const Commands& commands, Instant now) const {
  if (!commands.wake_at) return round_time_max;
  return std::clamp<Duration>(*commands.wake_at - now, Duration::zero(), round_time_max);
}

void Lane::log_counts(const Relay& relay, Instant now, bool is_end) {
  const auto counted = [&](CountTelling& telling, std::uint64_t total) {
    return is_end ? telling.rest(total) : telling.look(now, total);
  };
  if (const auto rows = counted(unrouted_, relay.unrouted_total()))
    log_line(
        Level::warning, "rows.unrouted",
        {{"rows", rows},
         {"next", "they are held as unrouted until a route takes their topic; see `outboxd held list`"}});
  if (const auto rows = counted(dead_, relay.dead_total()))
    log_line(Level::error, "rows.dead",
             {{"route", options_.route},
              {"rows", rows},
              {"last", relay.last_dead()},
              {"next", "they stay until `outboxd held requeue` or `outboxd held discard`"}});
}

/// One line for each topic that gets into trouble, and one when it has been out of it for a moment.
void Lane::log_topics(const Relay& relay, Instant now) {
  const bool changed = std::exchange(topics_version_, relay.topics_version()) != relay.topics_version();
  if (!changed && now < topics_look_at_) return;
  topics_look_at_ = Instant::max();
  std::map<std::string, TroubleTelling> rest = std::exchange(topics_, {});
  for (const TopicTroubleStatus& trouble : relay.status(now).topics) {
    auto known = rest.extract(trouble.topic);
    TroubleTelling& telling =
        known ? topics_.insert(std::move(known)).position->second : topics_[trouble.topic];
    if (telling.look(now, true) != TroubleTelling::Tell::begins) continue;
    log_line(Level::warning, "topic.trouble",
             {{"route", options_.route},
              {"topic", printable(trouble.topic, 200)},
              {"reason", trouble.reason},
              {"next", "its rows are held and tried again by themselves; all other topics go on"}});
  }
  while (!rest.empty()) {
    auto known = rest.extract(rest.begin());
    if (known.mapped().look(now, false) == TroubleTelling::Tell::ends) {
      log_line(Level::info, "topic.mended",
               {{"route", options_.route}, {"topic", printable(known.key(), 200)}});
      continue;
    }
    topics_.insert(std::move(known));
    topics_look_at_ = now + topic_look_interval;
  }
}

/// One line per change of state, with what is wrong and what happens next.
void Lane::log_state(const Relay& relay, Instant now) {
  const RouteState state = relay.state();
  const bool is_trouble = level_of(state) >= Level::warning;
  const bool is_asked_for = state == RouteState::paused || state == RouteState::draining;
  trouble_.look(now, is_trouble);
  const bool may_come_back = trouble_.present() && !is_trouble && !is_asked_for;
  if (state == logged_state_ || may_come_back) return;
  logged_state_ = state;
  const std::string reasons = reasons_of(relay.status(now));
  if (reasons.empty())
    log_line(level_of(state), "route.state",
             {{"route", options_.route}, {"state", name_of(state)}, {"to", to_}});
  else
    log_line(level_of(state), "route.state",
             {{"route", options_.route}, {"state", name_of(state)}, {"to", to_}, {"reason", reasons}});
}

void Lane::show_status(const Relay& relay, Instant now) {
  const std::lock_guard lock(status_mutex_);
  const auto sent_before = status_.sent_total;
  auto last_success_at = std::move(status_.last_success_at);
  status_ = relay.status(now);
  status_.name = options_.route;
  status_.to = to_;
  if (!status_.last_error.empty())
    status_.last_error_at =
        format_in_seconds(wall_clock() - std::chrono::round<std::chrono::microseconds>(
                                             std::chrono::duration<double>(status_.last_error_seconds)));
  status_.last_success_at =
      status_.sent_total == sent_before ? std::move(last_success_at) : format_in_seconds(wall_clock());
  const auto durations = worker_->durations();
  status_.read = durations.read;
  status_.settle = durations.settle;
  status_answered_ = status_asked_;
  status_shown_.notify_all();
}

}  // namespace outbox
