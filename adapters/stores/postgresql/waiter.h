// Sleeps until something may have been committed. Owned by the store's thread, but for wake().
//
// A NOTIFY from every commit would cap the services' throughput, so they send one only while somebody sleeps:
// whoever sleeps holds an advisory lock shared, and the trigger on the outbox tries it exclusively
// (schema/postgresql). A commit whose trigger ran before we lay down sends nothing; it is found by probing,
// often at first and more seldom the longer it has been quiet, but at least every 100 ms.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/reader.h"
#include "base/wakeup.h"
#include "core/store.h"

namespace outbox::postgresql {

class Waiter {
 public:
  /// direct: notifications and session locks work on this connection; otherwise it only probes.
  static Result<Waiter> prepare(Connection& connection, const Tables& tables, bool direct);

  Result<Woken> wait(Reader& reader, Wakeup& wakeup, Duration timeout);

  /// So many rows were read: more may follow soon.
  void active(Instant now, std::size_t rows) {
    last_activity_ = now;
    rows_ = rows;
  }

 private:
  explicit Waiter(Connection& connection, bool direct) : connection_(&connection), direct_(direct) {}

  Result<Woken> wait_armed_or_not(Reader& reader, Wakeup& wakeup, Instant deadline);
  Result<bool> arm();
  Result<void> disarm();
  enum class Heard { nothing, notified, interrupted, lost };
  Heard listen(Wakeup& wakeup, Duration time);
  [[nodiscard]] Duration gather_time() const;

  Connection* connection_;
  bool direct_;
  bool armed_ = false;
  Instant last_activity_{};
  std::size_t rows_ = 0;  ///< of the last read that brought any
};

}  // namespace outbox::postgresql
