// One route and shard at work: the relay's state machine on a thread that it shares with the broker's
// adapter, and the store's worker beside it. Made, started and ended by the relay process; status() and the
// operators' hands from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread.h"
#include "core/relay.h"
#include "runtime/store_worker.h"
#include "runtime/telling.h"

namespace outbox {

class Lane {
 public:
  /// Called from the lane's thread; must not block.
  struct Hooks {
    std::function<void()> commit_seen;  ///< the database told this lane's session of a commit
    std::function<void()> finished;
  };

  /// `to`: the broker's URL, redacted.
  Lane(RelayOptions options, std::string to, std::unique_ptr<Store> store, std::unique_ptr<Broker> broker,
       Hooks hooks);

  /// Its end is that of both threads at once, saved or not; stop() first for an orderly one.
  void start();

  void stop() { post(Stop{}); }
  void set_paused(bool paused);
  void nudge() { post(Nudge{}); }
  void set_wanted(bool wanted) { post(Share{wanted}); }
  void held_changed() { post(HeldChanged{}); }

  /// The relay has stopped: everything it could do is done.
  [[nodiscard]] bool finished() const { return finished_; }

  /// Has the lane show its status; does not wait.
  void ask_for_status() const;
  /// As that was asked for last, or the one before when the lane has not answered `until` then.
  [[nodiscard]] RouteStatus status(Instant until) const;

  /// Messages accepted so far.
  [[nodiscard]] std::uint64_t sent_total() const { return sent_total_; }

  /// When the lane's thread last went round; it does at least once a second.
  [[nodiscard]] Instant last_round() const;

  /// The log has told of a trouble and not of its end.
  [[nodiscard]] bool troubled() const { return troubled_; }

  /// Whether the last status showed everything through.
  [[nodiscard]] bool all_through() const { return all_through_; }

  /// As Relay::knows_backlog().
  [[nodiscard]] bool knows_backlog() const { return knows_backlog_; }

  /// It holds the lease.
  [[nodiscard]] bool holding() const { return holding_; }

  /// Rows held of this route and shard.
  [[nodiscard]] std::int64_t held_total() const { return held_total_; }

  [[nodiscard]] const std::string& route() const { return options_.route; }
  [[nodiscard]] const Topics& topics() const { return options_.filter.topics; }
  [[nodiscard]] int shard() const { return options_.filter.shard; }

 private:
  void post(Event event);
  void run();
  bool absorb_events(Relay& relay, Instant now);
  void carry_out(Commands& commands);
  void log_counts(const Relay& relay, Instant now, bool is_end);
  void log_topics(const Relay& relay, Instant now);
  void log_reset(const AcquireAnswer& answer);
  void log_state(const Relay& relay, Instant now);
  void show_status(const Relay& relay, Instant now);
  [[nodiscard]] Duration idle_time(const Commands& commands, Instant now) const;

  const RelayOptions options_;
  const std::string to_;
  std::unique_ptr<Store> store_;  ///< until start()
  std::unique_ptr<Broker> broker_;
  const Hooks hooks_;

  std::mutex events_mutex_;
  std::vector<Event> events_;
  std::vector<Event> absorbed_;  ///< of the lane's thread: keeps its capacity

  mutable std::mutex status_mutex_;
  mutable std::condition_variable status_shown_;
  mutable std::atomic<bool> status_wanted_ = false;
  mutable std::uint64_t status_asked_ = 0;
  std::uint64_t status_answered_ = 0;
  RouteStatus status_;

  // Of the lane's thread: what the log has told of.
  CountTelling dead_{std::chrono::seconds(1)};
  CountTelling unrouted_{std::chrono::minutes(1)};
  std::uint64_t topics_version_ = 0;
  std::map<std::string, TroubleTelling> topics_;  ///< in trouble, or not long out of it
  Instant topics_look_at_ = Instant::max();       ///< whether that has lasted
  TroubleTelling trouble_;
  RouteState logged_state_ = RouteState::starting;

  std::atomic<Instant::rep> last_round_;
  std::atomic<std::uint64_t> sent_total_ = 0;
  std::atomic<bool> troubled_ = false;
  std::atomic<bool> all_through_ = false;
  std::atomic<bool> knows_backlog_ = false;
  std::atomic<std::int64_t> held_total_ = 0;
  std::atomic<bool> holding_ = false;
  std::atomic<bool> started_ = false;
  std::atomic<bool> finished_ = false;

  std::unique_ptr<StoreWorker> worker_;
  Thread thread_;
};

}  // namespace outbox
