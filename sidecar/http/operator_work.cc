#include "http/operator_work.h"

#include <exception>
#include <utility>
#include <variant>

namespace outbox {
namespace {

/// Operators are few: what is more than this waits for a database that does not answer.
constexpr std::size_t waiting_max = 16;

ApiAnswer done_or_fault(const ApiWork& work) {
  try {
    return work();
  } catch (const std::exception&) {
    return api_error(500, "internal error");
  }
}

ApiAnswer too_late(bool changes) {
  return api_error(504, std::string("the database has not answered in time") +
                            (changes ? "; the change may still happen: look before you try again" : ""));
}

}  // namespace

OperatorWork::OperatorWork(Administration administration, OperatorApi::Options options,
                           std::chrono::milliseconds work_time, std::shared_ptr<Mailbox> mailbox)
    : api_(std::move(administration), std::move(options)),
      work_time_(work_time),
      mailbox_(std::move(mailbox)) {}

OperatorWork::~OperatorWork() = default;

HttpOutcome OperatorWork::take(const HttpRequest& request, const std::string& method, const std::string& path,
                               const std::multimap<std::string, std::string>& query) {
  const bool head_only = method == "HEAD";
  const bool close = request.head.close;
  auto outcome = api_.take({method, path, query, request.head, request.body, std::string(request.peer)});
  if (const auto* answer = std::get_if<ApiAnswer>(&outcome))
    return {response_text(*answer, close, head_only), false};

  if (!thread_) thread_ = std::make_unique<WorkThread>(waiting_max);
  auto work = [work = std::get<ApiWork>(std::move(outcome)), mailbox = mailbox_, ticket = request.ticket,
               close,
               head_only] { mailbox->put(ticket, {response_text(done_or_fault(work), close, head_only)}); };
  if (!thread_->submit(std::move(work), now() + work_time_))
    return {response_text(api_error(503, "too many requests wait for the database already; try again later"),
                          close, head_only),
            false};
  return {response_text(too_late(method == "POST"), true, head_only), true};
}

}  // namespace outbox
