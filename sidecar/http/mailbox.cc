#include "http/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace outbox {

Mailbox::Mailbox() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Mailbox::~Mailbox() {
  if (wake_ >= 0) ::close(wake_);
}

void Mailbox::put(std::uint64_t ticket, std::string answer) {
  {
    const std::lock_guard lock(mutex_);
    late_.push_back({ticket, std::move(answer)});
  }
  ring();
}

void Mailbox::ring() noexcept {
  ::eventfd_write(wake_, 1);
}

std::vector<Mailbox::Late> Mailbox::take() {
  eventfd_t count = 0;
  ::eventfd_read(wake_, &count);
  const std::lock_guard lock(mutex_);
  return std::exchange(late_, {});
}

}  // namespace outbox
