// The demo's story: starts the services and the relay as processes, kills them at the worst moments, and
// waits until everything is through. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "demo/child.h"
#include "demo/events.h"
#include "demo/narrator.h"

namespace outbox::demo {

struct StoryTask {
  std::string directory;  ///< empty; all files go there
  std::int64_t orders = 0;
  std::uint64_t seed = 1;
  std::string to;      ///< what the relay publishes to
  std::string events;  ///< the file where what has arrived is read
};

class Story {
 public:
  Story(StoryTask task, Narrator& narrator);

  /// Returns when every process has ended. False: not everything went through in time. Throws Failed, also
  /// when a stop was requested; processes end with this object.
  bool tell();

 private:
  void set_the_scene();
  void open_the_shop();
  void kill_the_relay(int percent);
  void kill_an_order_service();
  void kill_the_cart_service(int percent);
  bool see_it_through();

  void start(const std::string& name, std::vector<std::string> arguments);
  void start_relay();
  void start_cart_service();
  void start_order_service(int instance, std::int64_t stop_between);
  void end(const std::string& name);

  /// Looks after everything until the condition holds; false at the deadline. Throws Failed when a process
  /// ended that should not have.
  bool until(const std::function<bool()>& condition, Duration deadline);
  void must_be(const std::function<bool()>& condition, const std::string& what);
  void watch(const std::string& name, Child& child);
  void look_at_events(Duration wait);

  [[nodiscard]] std::int64_t share(int percent) const { return task_.orders * percent / 100; }
  [[nodiscard]] std::int64_t repeats() const;

  StoryTask task_;
  Narrator& narrator_;
  EventFile source_;
  std::set<std::string> seen_;                               ///< ids of events
  std::int64_t events_ = 0;                                  ///< repeats included
  std::int64_t read_up_to_ = 0;                              ///< behind the last event
  std::map<std::string, std::unique_ptr<Child>> processes_;  ///< erasing one is kill -9
};

}  // namespace outbox::demo
