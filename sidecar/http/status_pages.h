// What /status, /metrics and /readyz answer, made on a thread of its own, for all who ask at a time together.
// Owned by the connections' thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "core/status.h"
#include "http/mailbox.h"
#include "http/probes.h"

namespace outbox {

class StatusPages {
 public:
  enum class Page { status, metrics };
  struct Asked {
    std::variant<Page, ReadinessQuestion> what;
    std::uint64_t ticket = 0;  ///< of the request
    bool close = false;
    bool head_only = false;
  };

  /// `source` must outlive the pages. What is shown is made anew once it is older than `age_max`, or than ten
  /// times the CPU time that it took to make.
  StatusPages(const StatusSource& source, std::chrono::milliseconds age_max,
              std::shared_ptr<Mailbox> mailbox);

  /// Its answer will be put into the mailbox. False: too many wait already.
  [[nodiscard]] bool ask(Asked asked);

 private:
  /// One look at the source, and what was made of it so far, which all its readers share.
  struct Look {
    Status status;
    Instant made_at;
    Duration cost{};  ///< CPU time so far
    std::shared_ptr<const std::string> json, metrics;
  };

  void run();
  void look();
  [[nodiscard]] AnswerBytes answer_to(const Asked& asked);

  const StatusSource& source_;
  const Duration age_max_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<Look> look_;  ///< the thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Asked> waiting_;
  Thread thread_;
};

}  // namespace outbox
