// Answers that come later: from any thread to the connections' thread, which is woken for them. Outlives
// whoever may still put something in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/wakeup.h"

namespace outbox {

/// An answer on its way to a client: what is its own, and then what it shares with other answers.
struct AnswerBytes {
  std::string own;
  std::shared_ptr<const std::string> shared = {};

  [[nodiscard]] std::size_t size() const { return own.size() + (shared ? shared->size() : 0); }
};

class Mailbox {
 public:
  struct Late {
    std::uint64_t ticket = 0;  ///< of the request
    AnswerBytes answer;
  };

  /// Becomes readable with put() and ring(), until take().
  [[nodiscard]] int descriptor() const { return bell_.descriptor(); }

  void put(std::uint64_t ticket, AnswerBytes answer);
  void ring() noexcept { bell_.ring(); }

  /// Everything that was put since the last time.
  [[nodiscard]] std::vector<Late> take();

 private:
  Wakeup bell_;
  std::mutex mutex_;
  std::vector<Late> late_;
};

}  // namespace outbox
