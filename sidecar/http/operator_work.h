// Brings a request under /v1 to its answer: at once, or by the work thread and the mailbox. Owned by the
// connections' thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "http/connections.h"
#include "http/mailbox.h"
#include "http/operator_api.h"
#include "http/work_thread.h"

namespace outbox {

class OperatorWork {
 public:
  OperatorWork(Administration administration, OperatorApi::Options options,
               std::chrono::milliseconds work_time, std::shared_ptr<Mailbox> mailbox);
  ~OperatorWork();

  /// Never waits. `path` and `query` are percent-decoded.
  [[nodiscard]] HttpOutcome take(const HttpRequest& request, const std::string& method,
                                 const std::string& path,
                                 const std::multimap<std::string, std::string>& query);

 private:
  OperatorApi api_;
  std::chrono::milliseconds work_time_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<WorkThread> thread_;  ///< begun with the first work
};

}  // namespace outbox
