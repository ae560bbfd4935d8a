// All routes of one database at work, and what watches over them: pause flags, backlog, progress. The thread
// that calls run() owns it; status() and stuck() from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/admin.h"
#include "core/relay_io.h"
#include "core/status.h"
#include "runtime/lane.h"

namespace outbox {

struct ProcessOptions {
  std::string version;
  std::string instance;  ///< this relay's name among others
  std::string database_kind;
  std::string database_url;  ///< redacted
  bool once = false;
  Duration patience = std::chrono::seconds(10);  ///< once: give up after this long without progress
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
  using AdminOpener = std::function<Result<std::unique_ptr<Admin>>()>;

  RelayProcess(ProcessOptions options, std::vector<LanePlan> lanes, AdminOpener open_admin);
  ~RelayProcess() override;

  /// Starts every lane; returns when all have finished: after request_stop(), or, for once, when everything
  /// is through or nothing has moved for too long. True when nothing was left unsent.
  bool run();

  /// Any thread: drain, save the marks, give the leases back.
  void request_stop();

  /// For once, after run(): what stayed unsent and why, a line per route.
  [[nodiscard]] std::vector<std::string> unsent() const;

  [[nodiscard]] Status status() const override;
  [[nodiscard]] std::vector<std::string> stuck() const override;

 private:
  struct Measured {
    Backlog backlog;
    Instant at{};
    std::uint64_t sent_total = 0;  ///< of the lane at that time
    bool known = false;
  };

  void nudge_others(std::size_t index);
  void lane_finished();
  void watch();
  void watch_once(Admin& admin);
  void measure_backlog(Admin& admin, std::size_t index);
  [[nodiscard]] bool finished() const;
  [[nodiscard]] bool progressing(Instant now);
  void merge_measured(RouteStatus& route, const Measured& measured) const;

  const ProcessOptions options_;
  const AdminOpener open_admin_;
  const Instant started_at_;
  const std::string started_at_text_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Duration>
      measure_pause_;  ///< of the watcher: a backlog that takes long to count is counted seldom

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool ended_ = false;
  std::vector<Measured> measured_;
  DatabaseStatus database_;

  std::uint64_t progress_mark_ = 0;  ///< of run(): what was sent when progress was last seen
  Instant progress_at_{};
  std::thread watcher_;
};

}  // namespace outbox
