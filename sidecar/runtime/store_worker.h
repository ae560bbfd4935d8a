// The thread of one store session: carries out the relay's store commands one after the other and answers
// each with its event. Made and ended by the lane.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <variant>

#include "base/thread.h"
#include "core/relay_io.h"
#include "core/status.h"

namespace outbox {

class StoreWorker {
 public:
  /// `answer` is called on the worker's thread, once per command.
  StoreWorker(std::unique_ptr<Store> store, std::function<void(Event)> answer);

  /// Its end waits for the command under way; the others are dropped.

  /// Queues the store's part of `commands`; a sleeping store is woken for it.
  void accept(Commands& commands);

  struct Durations {
    Histogram read, settle;
  };
  [[nodiscard]] Durations durations() const;

 private:
  struct Release {
    Lease lease;
  };
  struct Wait {
    Duration timeout;
  };
  using Command = std::variant<LeaseRequest, SettleCommand, Lease, HeldKeysCommand, ReadHeldCommand,
                               ReadCommand, Release, Wait>;

  void run();
  Event carry_out(LeaseRequest& request);
  Event carry_out(SettleCommand& settle);
  Event carry_out(Lease& renew);
  Event carry_out(HeldKeysCommand& command);
  Event carry_out(ReadHeldCommand& command);
  Event carry_out(ReadCommand& read);
  Event carry_out(Release& release);
  Event carry_out(Wait& wait);

  std::unique_ptr<Store> store_;
  std::function<void(Event)> answer_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Command> queue_;
  bool sleeping_ = false;  ///< in the store's wait(): commands must wake it
  Durations durations_;
  Thread thread_;
};

}  // namespace outbox
