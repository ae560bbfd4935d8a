// Names of hosts and their addresses. The system's resolver blocks for as long as it likes, so it is asked
// on a thread that may be left to itself. Any thread; each object belongs to one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"

namespace outbox {

class LookUp {
 public:
  struct Question {
    std::string host;  ///< a name, or an address in numbers, for which nobody is asked
    int port = 0;
    bool operator==(const Question&) const = default;
  };
  /// At least one address. Errors: unavailable, with the system's words alone.
  using Answer = Result<std::vector<SocketAddress>>;

  /// Who asks what is being looked up already waits for that: threads do not pile up behind a resolver that
  /// hangs. An answer that was long in coming serves for a while, or who waits for less time would never have
  /// one.
  explicit LookUp(std::vector<Question> questions);

  [[nodiscard]] bool is_over() const;

  /// Readable once it is over, for poll().
  [[nodiscard]] int descriptor() const;

  /// One for each question. Precondition: it is over.
  [[nodiscard]] const std::vector<Answer>& answers() const;

 private:
  struct State;
  struct Registry;
  std::shared_ptr<State> state_;
};

}  // namespace outbox
