#include "adapters/common/polling.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace outbox {

bool hand_over(Answers& pending, Answers& answers) {
  const bool has_answers = !pending.deliveries.empty() || pending.session;
  if (answers.deliveries.empty())
    answers.deliveries.swap(pending.deliveries);
  else
    std::ranges::move(pending.deliveries, std::back_inserter(answers.deliveries));
  pending.deliveries.clear();
  if (pending.session) answers.session = std::exchange(pending.session, std::nullopt);
  return has_answers;
}

std::string milliseconds_text(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

}  // namespace outbox
