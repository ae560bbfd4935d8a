// Where the demo's cart service gets its events from: the broker, seen from a consumer. Each object belongs
// to the thread that made it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/message.h"

namespace outbox::cli::demo {

struct Event {
  std::string id;
  std::string topic;
  std::string key;
  std::string data;             ///< JSON, without white space
  std::int64_t order = 0;       ///< what data says
  std::int64_t read_up_to = 0;  ///< the position behind the event: where a reader goes on
};

/// One kind of broker. Another one than a file is another class here and a line in open_events().
class EventSource {
 public:
  virtual ~EventSource() = default;

  /// What came since the last call, in the broker's order; waits up to `timeout` when nothing did. A signal
  /// ends the wait. Throws Failed.
  virtual std::vector<Event> read(Duration timeout) = 0;
};

/// `to` is what the relay publishes to, `position` an event's read_up_to, or 0 for all. Throws Failed when
/// this kind of broker cannot be read.
std::unique_ptr<EventSource> open_events(const std::string& to, std::int64_t position);

}  // namespace outbox::cli::demo
