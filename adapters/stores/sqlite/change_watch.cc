#include "adapters/stores/sqlite/change_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <utility>

namespace outbox::sqlite {
namespace {

// The files themselves and not their directory: the relay's own file is in it too, and other busy files may
// be.
constexpr std::uint32_t changes = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;

timespec timespec_of(Duration duration) {
  const auto count = std::max<std::int64_t>(std::chrono::nanoseconds(duration).count(), 0);
  return {static_cast<time_t>(count / 1'000'000'000), static_cast<long>(count % 1'000'000'000)};
}

/// Reads away what is there; identical events that nobody read yet are one event, so that this stays short.
void drain(int descriptor) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (read(descriptor, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

Result<ChangeWatch> ChangeWatch::create() {
  ChangeWatch result;
  result.wake_ = Descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!result.wake_)
    return Error{Fault::unavailable, "sqlite: no file descriptor is left for the relay to wait with"};
  return result;
}

void ChangeWatch::watch(const std::string& database) {
  changes_ = Descriptor(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  database_ = database;
  log_watched_ = false;
  if (changes_) inotify_add_watch(changes_.number(), database_.c_str(), changes);
  watch_log();
}

void ChangeWatch::watch_log() {
  if (log_watched_ || !changes_) return;
  log_watched_ = inotify_add_watch(changes_.number(), (database_ + "-wal").c_str(), changes) >= 0;
}

ChangeWatch::Event ChangeWatch::wait(Duration timeout) {
  std::array<pollfd, 2> files{pollfd{wake_.number(), POLLIN, 0}, pollfd{changes_.number(), POLLIN, 0}};
  const timespec limit = timespec_of(timeout);
  // A signal ends it early: for the caller that is a spurious return, which it expects.
  if (ppoll(files.data(), files.size(), &limit, nullptr) <= 0) return Event::elapsed;
  if (files[0].revents != 0) {
    drain(wake_.number());
    return Event::woken;
  }
  drain(changes_.number());
  return Event::written;
}

void ChangeWatch::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when 2^64 - 1 calls are pending, and then the sleeper is awake.
  [[maybe_unused]] const auto written = write(wake_.number(), &one, sizeof one);
}

}  // namespace outbox::sqlite
