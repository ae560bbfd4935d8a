#include "adapters/stores/sqlite/sqlite_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/stores/sql/held.h"
#include "adapters/stores/sqlite/state_file.h"

namespace outbox {
namespace {

using sqlite::ChangeWatch;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A commit that inotify did not tell of (a network file system, no watches left) is seen after this.
constexpr Duration safety_poll = milliseconds(50);

/// The log is written before its commit is visible: with synchronous = FULL there is an fsync in between. So
/// after a write the version is asked for again, at growing distances, for as long as a slow disk may take.
class Recheck {
 public:
  void begin() {
    next_ = microseconds(50);
    left_ = milliseconds(30);
  }
  [[nodiscard]] bool running() const { return left_ > Duration::zero(); }
  Duration step() {
    const Duration result = next_;
    left_ -= result;
    next_ = std::min<Duration>(next_ * 2, milliseconds(1));
    return result;
  }

 private:
  Duration next_{}, left_{};
};

}  // namespace

SqliteStore::SqliteStore(sqlite::Target target, ChangeWatch watch)
    : target_(std::move(target)), watch_(std::move(watch)) {}

Result<std::unique_ptr<Store>> SqliteStore::create(const StoreTarget& target) {
  auto parsed = sqlite::parse_target(target);
  if (!parsed) return parsed.error();
  auto watch = ChangeWatch::create();
  if (!watch) return watch.error();
  return std::unique_ptr<Store>(new SqliteStore(std::move(*parsed), std::move(*watch)));
}

template <class T>
Result<T> SqliteStore::ending(Result<T> result) {
  if (!result && result.error().fault != Fault::fenced) session_.reset();
  return result;
}

Error SqliteStore::no_session() const {
  return {Fault::unavailable, "sqlite: " + target_.path + " is not open; opening it anew"};
}

Result<void> SqliteStore::open() {
  if (session_ && !session_->table->has_moved() && !session_->books->connection().has_moved()) return {};
  session_.reset();
  auto table = sqlite::OutboxTable::open(target_.path, target_.table);
  if (!table) return table.error();
  // By the resolved name: two relays that reach one database by different links must share the leases.
  auto state = sqlite::open_state(table->file(), sqlite::Access::create);
  if (!state) return state.error();
  auto books = sqlite::SqliteSession::create(std::move(*state), sqlite::books_tables(""));
  if (!books) return books.error();
  // The first read makes the log, if this connection is the first.
  if (auto version = table->version(); !version) return version.error();
  watch_.watch(table->file());
  auto kept = std::make_unique<sqlite::OutboxTable>(std::move(*table));
  sqlite::SqliteLog log(*kept);
  session_.emplace(Session{std::move(kept), std::move(*books), log});
  return {};
}

Result<Acquired> SqliteStore::acquire(const LeaseRequest& request) {
  if (auto opened = open(); !opened) return opened.error();
  session_->version_read = session_->version_reported = -1;
  auto acquired = sql::take_lease(*session_->books, session_->log, request);
  if (acquired && std::holds_alternative<Granted>(*acquired))
    if (auto stood = stand_at_mark(std::get<Granted>(*acquired).lease); !stood)
      return ending<Acquired>(stood.error());
  return ending(std::move(acquired));
}

/// What follows is read on the strength of the row at the saved mark.
Result<void> SqliteStore::stand_at_mark(const Lease& lease) {
  auto marks = sql::load_marks(*session_->books, "acquire", lease.route);
  if (!marks) return marks.error();
  for (const sql::MarkRow& row : *marks)
    if (row.shard == lease.shard && row.position)
      session_->table->stand_at(row.position->mark.seq, row.position->stamp);
  return {};
}

Result<void> SqliteStore::renew(const Lease& lease) {
  if (!session_) return no_session();
  return ending(sql::renew(*session_->books, lease));
}

Result<void> SqliteStore::release(const Lease& lease) {
  if (!session_) return no_session();
  return ending(sql::release(*session_->books, lease));
}

Result<Batch> SqliteStore::read(const Mark& after, const ReadLimit& limit) {
  if (!session_) return no_session();
  // The version before the rows: a commit in between makes the next wait() return once too often, never once
  // too seldom.
  auto version = session_->table->version();
  if (!version) return ending<Batch>(version.error());
  if (auto there = check_place("read"); !there) return ending<Batch>(there.error());
  session_->version_read = *version;
  return ending(session_->table->read(after.seq, limit));
}

Result<Settled> SqliteStore::settle(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (!session_) return no_session();
  auto saved = save(lease, mark, held);
  // Whatever is wrong, nothing is known but that the mark may not be saved: the caller starts over from the
  // saved one.
  if (!saved && saved.error().fault != Fault::fenced)
    return ending<Settled>(Error{Fault::unavailable, saved.error().text});
  return saved;
}

Result<Settled> SqliteStore::save(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (auto durable = session_->table->make_durable(); !durable) return durable.error();
  auto id = session_->table->stamp_of(mark.seq);
  if (!id) return id.error();
  return sql::settle(*session_->books, lease, {mark, *id}, held);
}

Result<HeldKeys> SqliteStore::held_keys(const Lease& lease) {
  if (!session_) return no_session();
  return ending(sql::held_keys(*session_->books, lease));
}

Result<HeldBatch> SqliteStore::read_held(const Lease& lease, const ReadLimit& limit) {
  if (!session_) return no_session();
  if (auto there = check_place("read"); !there) return ending<HeldBatch>(there.error());
  return ending(look_up(lease, limit));
}

/// What is held is in the relay's file, what is in the rows still in the services'.
Result<HeldBatch> SqliteStore::look_up(const Lease& lease, const ReadLimit& limit) {
  auto reading = sql::Transaction::begin(*session_->books, "held", false);
  if (!reading) return reading.error();
  auto due = sql::due_rows(*session_->books, lease, std::max<std::size_t>(limit.messages_max, 1));
  if (!due) return due.error();
  sql::HeldBatchBuilder batch(limit, *due);
  if (auto looked = session_->table->look_up(batch); !looked) return looked.error();
  return batch.take();
}

/// A file that was removed or replaced goes on being read under its old name's handle.
Result<void> SqliteStore::check_place(std::string_view deed) const {
  if (!session_->table->has_moved()) return {};
  return Error{Fault::unavailable, "sqlite." + std::string(deed) + ": " + target_.path +
                                       " was removed or replaced; opening it anew"};
}

Result<Woken> SqliteStore::wait(Duration timeout) {
  if (!session_)
    return watch_.wait(timeout) == ChangeWatch::Event::woken ? Woken::interrupted : Woken::timeout;
  const Instant deadline = std::chrono::steady_clock::now() + timeout;
  watch_.watch_log();
  Recheck recheck;
  for (bool first = true;; first = false) {
    auto version = session_->table->version();
    if (!version) return ending<Woken>(version.error());
    if (auto there = check_place("wait"); !there) return ending<Woken>(there.error());
    const bool unread = *version != session_->version_read;
    // News that was told already and is still unread waits for the safety poll: a caller who cannot read now
    // must not spin.
    if (unread && (*version != session_->version_reported || (!first && !recheck.running()))) {
      session_->version_reported = *version;
      return Woken::notified;
    }
    const Duration left = deadline - std::chrono::steady_clock::now();
    if (left <= Duration::zero() && !first) return Woken::timeout;
    const Duration nap = recheck.running() ? recheck.step() : safety_poll;
    switch (watch_.wait(std::min(left, nap))) {
      case ChangeWatch::Event::woken:
        return Woken::interrupted;
      case ChangeWatch::Event::written:
        recheck.begin();
        break;
      case ChangeWatch::Event::elapsed:
        break;
    }
  }
}

void SqliteStore::wake() noexcept {
  watch_.wake();
}

}  // namespace outbox
