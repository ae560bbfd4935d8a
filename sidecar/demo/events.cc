#include "demo/events.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "demo/database.h"

namespace outbox::demo {
namespace {

Event parse(const std::string& line, std::int64_t read_up_to) {
  const auto json = read_json<nlohmann::json>(line);
  if (json.is_discarded() || !json.is_object() || !json.contains("data"))
    throw Failed("no event: " + line.substr(0, 200));
  Event event;
  event.id = json.value("id", "");
  event.topic = json.value("topic", "");
  event.key = json.value("partitionkey", "");
  event.data = json["data"].dump();
  event.order = json["data"].value("order", std::int64_t{0});
  event.read_up_to = read_up_to;
  return event;
}

}  // namespace

EventFile::EventFile(std::string path, std::int64_t position)
    : path_(std::move(path)), position_(position), watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
  if (watch_ >= 0) ::close(watch_);
}

std::vector<Event> EventFile::read(Duration timeout) {
  std::vector<Event> events = read_lines();
  if (!events.empty()) return events;
  wait(timeout);
  return read_lines();
}

/// Complete lines only: a relay that dies may leave the beginning of one, and its successor cuts that off.
std::vector<Event> EventFile::read_lines() {
  std::vector<Event> events;
  if (!open_file()) return events;
  std::string block(1 << 16, '\0');
  for (;;) {
    const ssize_t size = ::pread(file_, block.data(), block.size(), position_);
    if (size < 0) throw Failed(path_ + " cannot be read: " + std::strerror(errno));
    const std::string_view text(block.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
      events.push_back(parse(std::string(text.substr(begin, end - begin)),
                             position_ + static_cast<std::int64_t>(end) + 1));
    position_ += static_cast<std::int64_t>(begin);
    if (begin == 0) return events;
  }
}

bool EventFile::open_file() {
  if (file_ >= 0) return true;
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ >= 0 && watch_ >= 0) ::inotify_add_watch(watch_, path_.c_str(), IN_MODIFY);
  return file_ >= 0;
}

void EventFile::wait(Duration timeout) {
  // Before the file is there, and where inotify says nothing, the wait is a short one.
  timeout = std::min<Duration>(timeout, std::chrono::milliseconds(20));
  pollfd watched{watch_, POLLIN, 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (::poll(&watched, 1, static_cast<int>(milliseconds)) <= 0) return;
  char told[4096];
  while (::read(watch_, told, sizeof told) > 0) {
  }
}

}  // namespace outbox::demo
