#include "runtime/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "runtime/log.h"

namespace outbox {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  assert(signals_ >= 0);
}

Signals::~Signals() {
  thread_.stop();
  close(signals_);
}

void Signals::listen(Handlers handlers) {
  thread_.start(
      "signals", [this, handlers = std::move(handlers)] { run(handlers); }, [this] { end_.ring(); });
}

void Signals::run(const Handlers& handlers) {
  bool stopping = false;
  for (;;) {
    pollfd waits[2] = {{signals_, POLLIN, 0}, {end_.descriptor(), POLLIN, 0}};
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return;
    if (thread_.stopping()) return;
    signalfd_siginfo signal{};
    if (waits[0].revents == 0 || read(signals_, &signal, sizeof signal) != sizeof signal) continue;
    if (signal.ssi_signo == SIGHUP) {
      handlers.reload();
    } else if (!std::exchange(stopping, true)) {
      handlers.stop();
    } else {
      log_line(Level::warning, "relay.second_signal",
               {{"next", "exiting at once; what is not marked is sent again"}});
      flush_log();
      _exit(1);
    }
  }
}

}  // namespace outbox
