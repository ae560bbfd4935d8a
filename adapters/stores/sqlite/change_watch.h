// Sleeps until a file is written or another thread calls. Owned by the store's thread, but for wake().
#pragma once

#include <string>

#include "base/result.h"
#include "core/message.h"

namespace outbox::sqlite {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  [[nodiscard]] int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

class ChangeWatch {
 public:
  enum class Event {
    written,  ///< a watched file was changed in some way, perhaps before its writer has committed
    elapsed,  ///< nothing happened
    woken,    ///< wake() was called
  };

  /// Errors: unavailable (no file descriptors left).
  static Result<ChangeWatch> create();

  /// From now on watches the database file and its write-ahead log, as far as they exist, instead of earlier
  /// ones. Where the system refuses (its limit of watches is reached), nothing is ever `written`: the caller
  /// polls all the same.
  void watch(const std::string& database);

  /// Once the write-ahead log has come into being after watch(). Cheap when it is watched already.
  void watch_log();

  /// For the first event, at most for `timeout`, to the precision of the system's timers.
  Event wait(Duration timeout);

  /// Ends a running or the next wait(). Any thread; does not block.
  void wake() noexcept;

 private:
  ChangeWatch() = default;

  Descriptor wake_;     // an eventfd
  Descriptor changes_;  // an inotify instance; none when the system has none left
  std::string database_;
  bool log_watched_ = false;
};

}  // namespace outbox::sqlite
