#include "tests/conformance/log_syncs.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

namespace outbox::test {
namespace {

struct Watch {
  std::mutex mutex;
  std::string path;  ///< empty: nobody watches
  int error = 0;
  std::size_t seen = 0;
};

Watch& watch() {
  static Watch one;
  return one;
}

std::string path_of(int descriptor) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const auto size = readlink(link.c_str(), path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string();
}

/// The error that this sync is to fail with, 0: none.
int note_sync(int descriptor) {
  const std::lock_guard lock(watch().mutex);
  if (watch().path.empty() || path_of(descriptor) != watch().path) return 0;
  ++watch().seen;
  return watch().error;
}

}  // namespace

LogSyncs::LogSyncs(std::string path, int error) {
  const std::lock_guard lock(watch().mutex);
  watch().path = std::move(path);
  watch().error = error;
  watch().seen = 0;
}

LogSyncs::~LogSyncs() {
  const std::lock_guard lock(watch().mutex);
  watch().path.clear();
}

std::size_t LogSyncs::seen() const {
  const std::lock_guard lock(watch().mutex);
  return watch().seen;
}

}  // namespace outbox::test

extern "C" int fdatasync(int descriptor) {
  if (const int error = outbox::test::note_sync(descriptor)) {
    errno = error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, descriptor));
}
