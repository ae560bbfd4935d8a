// Where the demo's cart service gets its events from: the broker, seen from a consumer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/message.h"

namespace outbox::demo {

struct Event {
  std::string id;
  std::string topic;
  std::string key;
  std::string data;             ///< JSON, without white space
  std::int64_t order = 0;       ///< what data says
  std::int64_t read_up_to = 0;  ///< the position behind the event: where a reader goes on
};

/// The lines of a file that another process appends to: what the relay, or a consumer of another broker,
/// writes. Each object belongs to one thread.
class EventFile {
 public:
  /// `path` may not be there yet. `position` is an event's read_up_to, or 0 for all.
  EventFile(std::string path, std::int64_t position);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();

  /// What came since the last call; waits up to `timeout` when nothing did. A signal ends the wait. Throws
  /// Failed.
  std::vector<Event> read(Duration timeout);

 private:
  std::vector<Event> read_lines();
  bool open_file();
  void wait(Duration timeout);

  std::string path_;
  std::int64_t position_;  ///< in bytes
  int watch_;
  int file_ = -1;
};

}  // namespace outbox::demo
