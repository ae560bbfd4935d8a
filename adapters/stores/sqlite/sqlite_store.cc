#include "adapters/stores/sqlite/sqlite_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/common/owner.h"

namespace outbox {
namespace {

using sqlite::ChangeWatch;
using sqlite::MarkRow;
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

bool may_take(const MarkRow& row, const LeaseRequest& request) {
  if (row.owner.empty() || row.owner == request.owner) return true;
  if (request.expired && *request.expired == LeaseHolder{row.owner, row.epoch, row.beat}) return true;
  return provably_gone(row.owner);
}

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
  if (session_ && !session_->table.has_moved() && !session_->state.connection().has_moved()) return {};
  session_.reset();
  auto table = sqlite::OutboxTable::open(target_.path, target_.table);
  if (!table) return table.error();
  // By the resolved name: two relays that reach one database by different links must share the leases.
  auto state = sqlite::StateFile::open(table->file(), sqlite::Access::create);
  if (!state) return state.error();
  // The first read makes the log, if this connection is the first.
  if (auto version = table->version(); !version) return version.error();
  watch_.watch(table->file());
  session_.emplace(Session{std::move(*table), std::move(*state)});
  return {};
}

Result<Acquired> SqliteStore::acquire(const LeaseRequest& request) {
  if (auto opened = open(); !opened) return opened.error();
  return ending(take_lease(request));
}

Result<Acquired> SqliteStore::take_lease(const LeaseRequest& request) {
  sqlite::StateFile& state = session_->state;
  auto transaction = state.begin("acquire");
  if (!transaction) return transaction.error();
  auto row = state.load(request.route, request.shard);
  if (!row) return row.error();
  if (*row && !may_take(**row, request))
    return Acquired(LeaseHolder{(*row)->owner, (*row)->epoch, (*row)->beat});

  auto grant = granted(request, std::move(*row));
  if (!grant) return grant.error();
  if (auto stored = state.store(request.route, request.shard, *grant); !stored) return stored.error();
  if (auto committed = transaction->commit("acquire"); !committed) return committed.error();
  session_->version_read = session_->version_reported = -1;
  return Acquired(
      Granted{{request.route, request.shard, grant->epoch}, {"", grant->seq.value_or(0)}, grant->paused});
}

/// The row as it is once the lease is given: the next epoch, and a mark that fits the database.
Result<MarkRow> SqliteStore::granted(const LeaseRequest& request, std::optional<MarkRow> found) {
  MarkRow row = std::move(found).value_or(MarkRow{});
  row.owner = request.owner;
  ++row.epoch;
  ++row.beat;
  if (row.seq) {
    auto loss = loss_behind(row);
    if (!loss) return loss.error();
    if (!*loss) return row;
    if (auto noted = session_->state.audit("mark_reset", request.route, **loss); !noted) return noted.error();
    row.seq = 0;
    row.last_id.reset();
    return row;
  }
  row.seq = 0;
  if (request.start == Start::oldest) return row;
  auto newest = session_->table.newest_seq();
  if (!newest) return newest.error();
  auto id = session_->table.id_of(*newest);
  if (!id) return id.error();
  row.seq = *newest;
  row.last_id = std::move(*id);
  return row;
}

/// What tells that the database is not the one that the mark was saved for, or an older state of it: then
/// rows that were never sent may lie behind the mark, and the route starts at the oldest row. Repeats rather
/// than loss.
Result<std::optional<std::string>> SqliteStore::loss_behind(const MarkRow& row) {
  const std::int64_t seq = row.seq.value_or(0);
  if (seq == 0) return std::optional<std::string>();
  auto id = session_->table.id_of(seq);
  if (!id) return id.error();
  const std::string place = "the mark is at seq " + std::to_string(seq);
  const std::string outcome = ": the database was replaced or restored; starting at its oldest row";
  if (*id && row.last_id && **id != *row.last_id)
    return std::optional(place + ", where another row stands than the one that was sent" + outcome);
  if (*id) return std::optional<std::string>();
  auto drawn = session_->table.drawn_seq();
  if (!drawn) return drawn.error();
  if (*drawn < seq) return std::optional(place + ", which the database has not reached" + outcome);
  return std::optional<std::string>();
}

Result<void> SqliteStore::renew(const Lease& lease) {
  if (!session_) return no_session();
  return ending(session_->state.renew(lease));
}

Result<void> SqliteStore::release(const Lease& lease) {
  if (!session_) return no_session();
  return ending(session_->state.release(lease));
}

Result<Batch> SqliteStore::read(const Mark& after, const ReadLimit& limit) {
  if (!session_) return no_session();
  // The version before the rows: a commit in between makes the next wait() return once too often, never once
  // too seldom.
  auto version = session_->table.version();
  if (!version) return ending<Batch>(version.error());
  if (session_->table.has_moved())
    return ending<Batch>(Error{Fault::unavailable,
                               "sqlite.read: " + target_.path + " was removed or replaced; opening it anew"});
  session_->version_read = *version;
  return ending(session_->table.read(after.seq, limit));
}

Result<Settled> SqliteStore::settle(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (!session_) return no_session();
  auto saved = save(lease, mark, held);
  // Whatever is wrong, nothing is known but that the mark may not be saved: the caller starts over from the
  // saved one.
  if (!saved && saved.error().fault != Fault::fenced)
    return ending<Settled>(Error{Fault::unavailable, saved.error().text});
  if (!saved) return saved.error();
  return Settled{};
}

Result<void> SqliteStore::save(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (auto durable = session_->table.make_durable(); !durable) return durable;
  auto id = session_->table.id_of(mark.seq);
  if (!id) return id.error();
  auto transaction = session_->state.begin("settle");
  if (!transaction) return transaction.error();
  if (auto saved = session_->state.save(lease, mark.seq, *id); !saved) return saved;
  if (auto written = session_->state.hold(lease, held.holds); !written) return written;
  return transaction->commit("settle");
}

Result<HeldKeys> SqliteStore::held_keys(const Lease&) {
  return HeldKeys{};
}

Result<HeldBatch> SqliteStore::read_held(const Lease&, const ReadLimit&) {
  return HeldBatch{};
}

Result<Woken> SqliteStore::wait(Duration timeout) {
  if (!session_)
    return watch_.sleep(timeout) == ChangeWatch::Event::woken ? Woken::interrupted : Woken::timeout;
  const Instant deadline = std::chrono::steady_clock::now() + timeout;
  watch_.watch_log();
  Recheck recheck;
  for (bool first = true;; first = false) {
    auto version = session_->table.version();
    if (!version) return ending<Woken>(version.error());
    if (session_->table.has_moved())
      return ending<Woken>(Error{
          Fault::unavailable, "sqlite.wait: " + target_.path + " was removed or replaced; opening it anew"});
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
    switch (watch_.sleep(std::min(left, nap))) {
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
