#include "runtime/crash_point.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace outbox {
namespace {

struct Wanted {
  std::string label;
  std::atomic<long> passes = 0;  ///< that are left, the deadly one included

  Wanted() {
    const char* text = std::getenv("OUTBOXD_CRASH_AT");
    if (!text) return;
    const std::string wanted = text;
    ::unsetenv("OUTBOXD_CRASH_AT");  // the configuration refuses variables that it does not know
    const auto colon = wanted.rfind(':');
    if (colon == wanted.npos) return;
    label = wanted.substr(0, colon);
    passes = std::atol(wanted.c_str() + colon + 1);
  }
};

/// Read before main(), while there is one thread.
Wanted wanted;

}  // namespace

void crash_point(const char* label) {
  if (wanted.label != label || --wanted.passes != 0) return;
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();  // the signal is on its way: not one step more
}

}  // namespace outbox
