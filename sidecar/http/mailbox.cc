#include "http/mailbox.h"

#include <utility>

namespace outbox {

void Mailbox::put(std::uint64_t ticket, AnswerBytes answer) {
  {
    const std::lock_guard lock(mutex_);
    late_.push_back({ticket, std::move(answer)});
  }
  ring();
}

std::vector<Mailbox::Late> Mailbox::take() {
  bell_.clear();
  const std::lock_guard lock(mutex_);
  return std::exchange(late_, {});
}

}  // namespace outbox
