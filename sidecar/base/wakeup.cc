#include "base/wakeup.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <climits>

namespace outbox {

Wakeup::Wakeup() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  assert(descriptor_ >= 0);
}

Wakeup::~Wakeup() {
  ::close(descriptor_);
}

void Wakeup::ring() noexcept {
  ::eventfd_write(descriptor_, 1);
}

void Wakeup::clear() noexcept {
  eventfd_t ignored;
  ::eventfd_read(descriptor_, &ignored);
}

bool Wakeup::wait(Duration timeout) {
  pollfd bell{descriptor_, POLLIN, 0};
  if (::poll(&bell, 1, poll_milliseconds(timeout)) <= 0) return false;
  clear();
  return true;
}

int poll_milliseconds(Duration timeout) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return static_cast<int>(std::clamp<std::int64_t>(count, 0, INT_MAX));
}

void ignore_write_signals() {
  for (int number : {SIGPIPE, SIGXFSZ}) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) ::signal(number, SIG_IGN);
  }
}

}  // namespace outbox
