// Answers that come later: from any thread to the connections' thread, which is woken for them. Outlives
// whoever may still put something in.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/wakeup.h"

namespace outbox {

class Mailbox {
 public:
  struct Late {
    std::uint64_t ticket = 0;  ///< of the request
    std::string answer;
  };

  /// Becomes readable with put() and ring(), until take().
  [[nodiscard]] int descriptor() const { return bell_.descriptor(); }

  void put(std::uint64_t ticket, std::string answer);
  void ring() noexcept { bell_.ring(); }

  /// Everything that was put since the last time.
  [[nodiscard]] std::vector<Late> take();

 private:
  Wakeup bell_;
  std::mutex mutex_;
  std::vector<Late> late_;
};

}  // namespace outbox
