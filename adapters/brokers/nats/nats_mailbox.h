// What nats.c's threads have for a broker: answers and errors. They put in, one publishing thread takes out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "adapters/brokers/nats/nats_answer.h"
#include "base/wakeup.h"

namespace outbox {

struct NatsMail {
  std::vector<std::uint64_t> accepted;                       ///< numbers of messages, stored by this attempt
  std::vector<std::pair<std::uint64_t, NatsAnswer>> others;  ///< the rest of the answers
  std::vector<std::string> errors;                           ///< as the server wrote them
  bool is_leaving = false;                                   ///< the server is in lame duck mode

  void clear();
};

class NatsMailbox {
 public:
  /// Known to find() from here until its end.
  static std::shared_ptr<NatsMailbox> make();
  ~NatsMailbox();

  /// What the library's callbacks get instead of a pointer: one of them may still run when its connection has
  /// been destroyed. Null: the mailbox is gone.
  [[nodiscard]] void* name() const { return name_; }
  static std::shared_ptr<NatsMailbox> find(void* name);

  void put(std::uint64_t number, NatsAnswer answer);
  void put_error(std::string error);
  void put_leaving();

  /// Empties it into `mail`, whose memory is used again.
  void take(NatsMail& mail);

  /// Rings when there is something to take, or when its user rings it.
  Wakeup bell;

 private:
  NatsMailbox() = default;
  void ring_once();

  void* name_ = nullptr;
  std::mutex mutex_;
  NatsMail mail_;
  bool is_rung_ = false;
};

}  // namespace outbox
