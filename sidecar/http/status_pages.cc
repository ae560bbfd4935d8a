#include "http/status_pages.h"

#include <time.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "http/metrics_text.h"
#include "http/operator_api.h"
#include "http/process_usage.h"
#include "http/status_json.h"

namespace outbox {
namespace {

/// Connections that have gone meanwhile are among them.
constexpr std::size_t waiting_max = 1024;

constexpr const char* plain_text = "text/plain; charset=utf-8";

Duration thread_cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

AnswerBytes shared_answer(const StatusPages::Asked& asked, const char* type,
                          std::shared_ptr<const std::string> body) {
  AnswerBytes bytes{response_head({200, "", "", type}, body->size(), asked.close)};
  if (!asked.head_only) bytes.shared = std::move(body);
  return bytes;
}

}  // namespace

StatusPages::StatusPages(const StatusSource& source, std::chrono::milliseconds age_max,
                         std::shared_ptr<Mailbox> mailbox)
    : source_(source), age_max_(age_max), mailbox_(std::move(mailbox)) {}

bool StatusPages::ask(Asked asked) {
  thread_.start(
      "http-status", [this] { run(); },
      [this] {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
      });
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= waiting_max) return false;
  waiting_.push_back(asked);
  changed_.notify_all();
  return true;
}

void StatusPages::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return thread_.stopping() || !waiting_.empty(); });
    if (thread_.stopping()) return;
    const std::vector<Asked> asked = std::exchange(waiting_, {});
    lock.unlock();
    bool has_looked = false;
    for (const Asked& each : asked) {
      AnswerBytes bytes;
      try {
        if (!has_looked) look();
        has_looked = true;
        bytes = answer_to(each);
      } catch (const std::exception&) {
        look_.reset();
        has_looked = false;
        bytes = {response_text(api_error(500, "internal error; see the log"), each.close, each.head_only)};
      }
      mailbox_->put(each.ticket, std::move(bytes));
    }
    lock.lock();
  }
}

void StatusPages::look() {
  const Instant began = now();
  if (look_ && began < look_->made_at + std::min(age_max_, 10 * look_->cost)) return;
  const Duration used = thread_cpu_time();
  auto seen = std::make_unique<Look>();
  seen->status = source_.status();
  seen->made_at = began;
  seen->cost = thread_cpu_time() - used;
  look_ = std::move(seen);
}

AnswerBytes StatusPages::answer_to(const Asked& asked) {
  if (const auto* question = std::get_if<ReadinessQuestion>(&asked.what)) {
    const ProbeAnswer probe = readiness(look_->status, *question);
    return {
        response_text({probe.passed ? 200 : 503, probe.text, "", plain_text}, asked.close, asked.head_only)};
  }
  const bool is_json = std::get<Page>(asked.what) == Page::status;
  std::shared_ptr<const std::string>& text = is_json ? look_->json : look_->metrics;
  if (!text) {
    const Duration used = thread_cpu_time();
    text = std::make_shared<const std::string>(is_json ? status_json(look_->status)
                                                       : metrics_text(look_->status, process_usage()));
    look_->cost += thread_cpu_time() - used;
  }
  return shared_answer(asked, is_json ? "application/json" : "text/plain; version=0.0.4; charset=utf-8",
                       text);
}

}  // namespace outbox
