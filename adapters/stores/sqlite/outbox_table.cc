#include "adapters/stores/sqlite/outbox_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "adapters/stores/sqlite/change_watch.h"
#include "adapters/stores/sqlite/shape.h"
#include "adapters/stores/sqlite/wall_clock.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace outbox::sqlite {
namespace {

// In WAL mode a reader waits only while somebody recovers the log; in the other modes, while a commit is
// written.
constexpr auto busy = std::chrono::milliseconds(250);

/// A column's value, valid until the statement's next step.
struct Cell {
  int kind = SQLITE_NULL;
  std::string_view bytes;  // text as UTF-8, a blob as it is, numbers as SQLite writes them
};

/// By way of sqlite3_column_value, which costs a third of asking the statement for type, pointer and size.
/// Allowed because one thread alone uses the connection: https://www.sqlite.org/c3ref/column_blob.html
Cell cell(sqlite3_stmt* row, int column) {
  sqlite3_value* value = sqlite3_column_value(row, column);
  const int kind = sqlite3_value_type(value);
  if (kind == SQLITE_NULL) return {};
  const void* data = kind == SQLITE_BLOB ? sqlite3_value_blob(value) : sqlite3_value_text(value);
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return {kind, data ? std::string_view(static_cast<const char*>(data), size) : std::string_view()};
}

/// One row as a RowView. SQLite lets any column hold any type: bytes are taken as they are, whole numbers as
/// SQLite writes them, and what could not be delivered exactly is a defect.
class RowReader {
 public:
  RowReader(sqlite3_stmt* row, Timestamp now) : row_(row), now_(now) {}

  RowView view() {
    RowView result;
    result.seq = sqlite3_column_int64(row_, OutboxColumn::seq);
    const Cell id_cell = cell(row_, OutboxColumn::id);
    // Sixteen characters are no sixteen bytes.
    if (id_cell.bytes.size() != 16 || id_cell.kind == SQLITE_BLOB) result.id = id_cell.bytes;
    result.topic = required(OutboxColumn::topic, "topic is NULL");
    result.key = optional(OutboxColumn::message_key);
    result.type = optional(OutboxColumn::type);
    result.set_value(optional(OutboxColumn::payload), optional(OutboxColumn::data));
    result.content_type = optional(OutboxColumn::content_type).value_or("application/json");
    result.headers = optional(OutboxColumn::headers).value_or("{}");
    set_times(result);
    if (!defect_.empty()) result.defect = defect_;
    return result;
  }

 private:
  std::optional<std::string_view> optional(int column) {
    const Cell found = cell(row_, column);
    if (found.kind == SQLITE_NULL) return std::nullopt;
    if (found.kind == SQLITE_FLOAT) defect_ = "a column holds a floating-point number; store text or a blob";
    return found.bytes;
  }

  std::string_view required(int column, std::string_view defect) {
    const auto found = optional(column);
    if (!found) defect_ = defect;
    return found.value_or("");
  }

  void set_times(RowView& result) {
    if (const auto created = parse_timestamp(cell(row_, OutboxColumn::created_at).bytes)) {
      result.created_at = *created;
      result.age = between(*created, now_);
    } else {
      defect_ = "created_at is no date; it must look like 2026-01-31T12:00:00.000Z";
    }
    const Cell due = cell(row_, OutboxColumn::deliver_at);
    if (due.kind == SQLITE_NULL) return;
    if (const auto time = parse_timestamp(due.bytes))
      result.due_in = between(now_, *time);
    else
      defect_ = "deliver_at is no date; it must look like 2026-01-31T12:00:00.000Z";
  }

  sqlite3_stmt* row_;
  Timestamp now_;
  std::string_view defect_;
};

/// The same for every spelling of a UUID.
std::string one_spelling(const std::string& id) {
  UuidText text;
  if (id.size() == text.size()) return canonical_uuid(id).value_or(id);
  if (id.size() != 16) return id;
  format_uuid(id, text);
  return {text.data(), text.size()};
}

Error not_there(const std::string& path) {
  return {Fault::unavailable,
          "sqlite.open: " + path +
              " does not exist yet; the service or `outboxd migrate up` creates it, trying again"};
}

}  // namespace

Result<OutboxTable> OutboxTable::open(const std::string& path, const std::string& table) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return not_there(path);
  auto connection = Connection::open(path, Access::existing, busy);
  if (!connection) return connection.error();
  // The last connection to close checkpoints under an exclusive lock, which a service that just opens would
  // run into.
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (auto done = connection->execute("PRAGMA query_only = ON", "open"); !done) return done.error();
  auto faults = faults_of(*connection, table);
  if (!faults) return faults.error();
  if (!faults->empty())
    return Error{Fault::misconfigured, "sqlite: " + faults->front().what + "; " + faults->front().fix};
  OutboxTable result(std::move(*connection), table);
  if (auto done = result.prepare(); !done) return done.error();
  return result;
}

Result<void> OutboxTable::prepare() {
  const std::string from = " FROM main." + quoted_name(table_);
  std::string columns;
  for (const auto column : outbox_column_names)
    columns += (columns.empty() ? "SELECT " : ", ") + std::string(column);
  columns += from;
  if (auto done = connection_.prepare_into(read_, columns + " WHERE seq > ?1 ORDER BY seq LIMIT ?2", "open");
      !done)
    return done;
  if (auto done = connection_.prepare_into(row_, columns + " WHERE seq = ?1", "open"); !done) return done;
  if (auto done = connection_.prepare_into(id_of_, "SELECT id" + from + " WHERE seq = ?1", "open"); !done)
    return done;
  // A sequence that somebody has emptied goes on behind the highest row.
  if (auto done = connection_.prepare_into(
          drawn_,
          "SELECT max(coalesce((SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE), "
          "0), coalesce((SELECT max(seq)" +
              from + "), 0))",
          "open");
      !done)
    return done;
  return connection_.prepare_into(version_, "PRAGMA main.data_version", "open");
}

void OutboxTable::stand_at(std::int64_t seq, std::optional<std::string> id) {
  last_read_ = seq;
  last_id_ = std::move(id);
  known_version_.reset();
}

/// A moment within which the rows are those that were read. `.restore`, or a service that empties
/// sqlite_sequence, puts other rows behind the place up to which all was read, under the open handle; only a
/// file that was changed can have been exchanged so.
Result<Transaction> OutboxTable::look_again(std::string_view what) {
  auto moment = Transaction::begin_reading(connection_, what);
  if (!moment) return moment;
  auto seen = version();
  if (!seen) return seen.error();
  if (known_version_ == *seen) return moment;
  auto loss = loss_behind(last_read_, last_id_);
  if (!loss) return loss.error();
  if (*loss)
    return Error{Fault::unavailable, "sqlite." + std::string(what) + ": " + **loss + "; looking anew"};
  known_version_ = *seen;
  return moment;
}

Result<Batch> OutboxTable::read(std::int64_t after, const ReadLimit& limit) {
  auto moment = look_again("read");
  if (!moment) return moment.error();
  BatchBuilder builder(limit, rows_expected_);
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max() - 1;
  const auto rows_max = static_cast<std::int64_t>(std::clamp<std::size_t>(limit.messages_max, 1, most));
  read_.bind(1, after).bind(2, rows_max + 1);  // one more, to know whether there are more
  int code = SQLITE_ROW;
  std::optional<Timestamp> now;  // once the first step has fixed what is seen: no row is younger
  while ((code = read_.step()) == SQLITE_ROW && !builder.full()) {
    if (!now) now = wall_clock();
    builder.add(RowReader(read_.handle(), *now).view());
  }
  read_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, "read");
  rows_expected_ = std::max<std::size_t>(builder.size(), 64);
  const std::int64_t last = builder.size() == 0 ? after : builder.last_seq();
  Batch batch = builder.take();
  if (!batch.messages.empty() && last >= last_read_) {
    last_read_ = last;
    last_id_.reset();
    if (batch.messages.back().defect.empty()) last_id_ = batch.messages.back().id_text();
  }
  batch.end.seq = last;
  batch.more = code == SQLITE_ROW;
  return batch;
}

Result<std::vector<PassedRow>> OutboxTable::rows_between(std::int64_t after, std::int64_t before,
                                                         std::size_t rows_max) {
  auto statement =
      connection_.prepare("SELECT seq, coalesce(length(payload), length(data), 0) FROM main." +
                              quoted_name(table_) + " WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3",
                          "retention");
  if (!statement) return statement.error();
  statement->bind(1, after).bind(2, before).bind(3, static_cast<std::int64_t>(rows_max));
  std::vector<PassedRow> rows;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW)
    rows.push_back({statement->number(0), statement->number(1)});
  if (code != SQLITE_DONE) return connection_.error_of(code, "retention");
  return rows;
}

Result<void> OutboxTable::look_up(sql::HeldBatchBuilder& batch) {
  auto moment = look_again("held");
  if (!moment) return moment.error();
  while (!batch.done()) {
    auto added = add_row(batch);
    if (!added) return added.error();
    if (!*added) break;
  }
  return {};
}

Result<bool> OutboxTable::add_row(sql::HeldBatchBuilder& batch) {
  const sql::DueRow& row = batch.next();
  bool added = false;
  const int code = row_.bind(1, row.seq).step();
  if (code == SQLITE_ROW) {
    added = batch.add(RowReader(row_.handle(), wall_clock()).view());
  } else if (code == SQLITE_DONE) {
    RowView gone;
    gone.seq = row.seq;
    gone.key = row.key;
    gone.defect = sql::row_gone;
    added = batch.add(gone);
  }
  row_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, "read");
  return added;
}

Result<std::optional<std::string>> OutboxTable::loss_behind(std::int64_t mark,
                                                            const std::optional<std::string>& last_id) {
  if (mark <= 0) return std::optional<std::string>();
  auto id = id_of(mark);
  if (!id) return id.error();
  const std::string place = "all was read up to seq " + std::to_string(mark);
  const std::string outcome = ": the database was replaced or restored";
  if (*id && last_id && one_spelling(**id) != one_spelling(*last_id))
    return std::optional(place + ", where another row stands now" + outcome);
  if (*id) return std::optional<std::string>();
  auto drawn = drawn_seq();
  if (!drawn) return drawn.error();
  if (*drawn < mark) return std::optional(place + ", which the database has not reached" + outcome);
  return std::optional<std::string>();
}

Result<std::int64_t> OutboxTable::version() {
  return single(version_, "wait");
}

Result<std::int64_t> OutboxTable::before_first() {
  auto lowest = connection_.number("SELECT min(seq) FROM main." + quoted_name(table_), "read");
  if (!lowest) return lowest.error();
  return std::min<std::int64_t>(lowest->value_or(1), 1) - 1;
}

Result<std::int64_t> OutboxTable::drawn_seq() {
  drawn_.bind(1, table_);
  return single(drawn_, "read");
}

Result<std::int64_t> OutboxTable::single(Statement& statement, std::string_view what) {
  const int code = statement.step();
  const std::int64_t value = code == SQLITE_ROW ? statement.number(0) : 0;
  statement.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, what);
  return value;
}

Result<std::optional<std::string>> OutboxTable::id_of(std::int64_t row_seq) {
  const int code = id_of_.bind(1, row_seq).step();
  std::optional<std::string> found;
  if (code == SQLITE_ROW) found = id_of_.string(0);
  id_of_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, "read");
  return found;
}

Result<std::optional<std::string>> OutboxTable::stamp_of(std::int64_t row_seq) {
  auto moment = look_again("settle");
  if (!moment) return moment.error();
  return id_of(row_seq);
}

Result<void> OutboxTable::make_durable() {
  // Asked before the sync: what is committed meanwhile counts as not on the disk.
  auto committed = version();
  if (!committed) return committed.error();
  if (durable_version_ == *committed) return {};
  // The log carries no POSIX locks (they are on the database and its -shm), so closing a descriptor of it
  // drops none.
  const std::string log = file() + "-wal";
  const Descriptor descriptor(::open(log.c_str(), O_RDONLY | O_CLOEXEC));
  const bool no_log =
      !descriptor && errno == ENOENT;  // not in WAL mode: commits are synced into the database itself
  if (no_log || (descriptor && fdatasync(descriptor.number()) == 0)) {
    durable_version_ = *committed;
    return {};
  }
  return Error{Fault::unavailable, "sqlite.settle: " + log + " cannot be synced: " + std::strerror(errno)};
}

}  // namespace outbox::sqlite
