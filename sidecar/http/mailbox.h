// Answers that come later: from any thread to the connections' thread, which is woken for them. Outlives
// whoever may still put something in.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace outbox {

class Mailbox {
 public:
  struct Late {
    std::uint64_t ticket = 0;  ///< of the request
    std::string answer;
  };

  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Becomes readable with put() and ring(), until take().
  [[nodiscard]] int descriptor() const { return wake_; }

  void put(std::uint64_t ticket, std::string answer);
  void ring() noexcept;

  /// Everything that was put since the last time.
  [[nodiscard]] std::vector<Late> take();

 private:
  const int wake_;
  std::mutex mutex_;
  std::vector<Late> late_;
};

}  // namespace outbox
