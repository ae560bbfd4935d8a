// The Store on a SQLite database. Two files: the service's database, which is only read, and the relay's own
// file beside it, <database>.outboxd, which holds leases and marks, so that the relay never competes for the
// service's write lock. SQLite has one writer at a time, so the order of seq is the order of the commits.
// Owned by the thread that calls it, but for wake().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/change_watch.h"
#include "adapters/stores/sqlite/outbox_table.h"
#include "adapters/stores/sqlite/sqlite_log.h"
#include "adapters/stores/sqlite/sqlite_session.h"
#include "adapters/stores/sqlite/target.h"
#include "core/store.h"

namespace outbox {

class SqliteStore final : public Store {
 public:
  /// Opens no database yet. Errors: misconfigured (URL, table name); unavailable (no file descriptors left).
  static Result<std::unique_ptr<Store>> create(const StoreTarget& target);

  Result<Acquired> acquire(const LeaseRequest& request) override;
  Result<void> renew(const Lease& lease) override;
  Result<void> release(const Lease& lease) override;
  Result<Batch> read(const Mark& after, const ReadLimit& limit) override;
  Result<Settled> settle(const Lease& lease, const Mark& mark, const HeldWrites& held) override;
  Result<HeldKeys> held_keys(const Lease& lease) override;
  Result<HeldBatch> read_held(const Lease& lease, const ReadLimit& limit) override;
  Result<Woken> wait(Duration timeout) override;
  void wake() noexcept override;

 private:
  struct Session {
    std::unique_ptr<sqlite::OutboxTable> table;
    std::unique_ptr<sqlite::SqliteSession> books;
    sqlite::SqliteLog log;
    std::int64_t version_read = -1;      // of the database, before the last read
    std::int64_t version_reported = -1;  // of the database, when wait() last said `notified`
  };

  SqliteStore(sqlite::Target target, sqlite::ChangeWatch watch);

  Result<void> open();
  Result<void> stand_at_mark(const Lease& lease);
  Result<HeldBatch> look_up(const Lease& lease, const ReadLimit& limit);
  Result<void> check_place(std::string_view deed) const;
  Result<Settled> save(const Lease& lease, const Mark& mark, const HeldWrites& held);
  [[nodiscard]] Error no_session() const;

  /// Ends the session unless the failure leaves it whole; hands the result on.
  template <class T>
  Result<T> ending(Result<T> result);

  sqlite::Target target_;
  sqlite::ChangeWatch watch_;
  std::optional<Session> session_;
};

}  // namespace outbox
