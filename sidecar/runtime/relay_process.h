// All routes of one database at work, and what watches over them. The thread
// that calls run() owns it; status() and stuck() from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/relay_io.h"
#include "core/status.h"
#include "runtime/lane.h"
#include "runtime/telling.h"
#include "runtime/watcher.h"

namespace outbox {

struct ProcessOptions {
  std::string version;
  std::string instance;  ///< this relay's name among others
  std::string database_kind;
  std::string database_url;  ///< redacted
  bool once = false;
  Duration patience = std::chrono::seconds(10);  ///< once: give up after this long without progress
  Duration lease{};
  Retention retention;
  Duration trouble_again = std::chrono::minutes(5);  ///< how often the log tells of one that lasts
};

/// What becomes a lane. Shards of one route come one after the other.
struct LanePlan {
  RelayOptions relay;
  std::string to;  ///< redacted
  std::unique_ptr<Store> store;
  std::unique_ptr<Broker> broker;
};

class RelayProcess : public StatusSource {
 public:
  RelayProcess(ProcessOptions options, std::vector<LanePlan> lanes, Watcher::AdminOpener open_admin);
  ~RelayProcess() override;

  /// Starts every lane; returns when all have finished: after request_stop(), or, for once, when everything
  /// is through or nothing has moved for too long. True when nothing was left unsent.
  bool run();

  /// Any thread: drain, save the marks, give the leases back.
  void request_stop();

  /// For once, after run(): what stayed unsent and why, a line per route, with the first of the held rows.
  [[nodiscard]] std::vector<std::string> unsent() const;

  [[nodiscard]] Status status() const override;
  [[nodiscard]] std::vector<std::string> stuck() const override;

 private:
  void nudge_others(std::size_t index);
  void something_happened();
  [[nodiscard]] bool finished() const;
  [[nodiscard]] std::string held_rows(const std::string& route, int shard) const;
  [[nodiscard]] bool progressing(Instant now);
  void log_lasting_troubles();
  /// Of some lanes, waiting for all of them together.
  [[nodiscard]] std::vector<RouteStatus> statuses(const std::vector<Lane*>& lanes) const;
  [[nodiscard]] RouteStatus status_of(std::size_t route, std::vector<RouteStatus> shards) const;

  const ProcessOptions options_;
  const Watcher::AdminOpener open_admin_;
  const Instant started_at_;
  const std::string started_at_text_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Watcher> watcher_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::atomic<bool> adopted_ = false;

  std::vector<TroubleTelling> troubles_;  ///< of run(), by route
  std::uint64_t progress_mark_ = 0;       ///< of run(): what was sent when progress was last seen
  Instant progress_at_{};
};

}  // namespace outbox
