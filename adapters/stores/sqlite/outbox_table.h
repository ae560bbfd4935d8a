// The relay's view of the service's database: reads the outbox table and never writes, not even on closing.
// Owned by the store's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/sql/held.h"
#include "adapters/stores/sqlite/database.h"
#include "core/store.h"

namespace outbox::sqlite {

/// What retention asks of a row.
struct PassedRow {
  std::int64_t seq = 0;
  std::int64_t bytes = 0;  ///< of its payload
};

class OutboxTable {
 public:
  /// Opens and checks the shape. Errors: unavailable (the file is not there yet, locked); misconfigured (the
  /// first fault of the table, with its fix).
  static Result<OutboxTable> open(const std::string& path, const std::string& table);

  /// The file, symbolic links resolved.
  [[nodiscard]] std::string file() const { return connection_.file(); }

  /// Another file has this one's name now, or none.
  [[nodiscard]] bool has_moved() const { return connection_.has_moved(); }

  /// Rows with a seq above `after`. Batch::cursor stays empty. Errors: unavailable, also when the contents
  /// are not those that were read before.
  Result<Batch> read(std::int64_t after, const ReadLimit& limit);

  /// Everything up to this row has been read, or was when the mark was saved: by it read(), stamp_of() and
  /// look_up() know the contents again.
  void stand_at(std::int64_t seq, std::optional<std::string> id);

  /// Rows between two marks, without either.
  Result<std::vector<PassedRow>> rows_between(std::int64_t after, std::int64_t before, std::size_t rows_max);

  /// A number that changes with every commit of another connection.
  Result<std::int64_t> version();

  /// Below the lowest row; 0 unless somebody has written numbers below 1.
  Result<std::int64_t> before_first();

  /// The highest seq that was ever drawn, rows that are gone included; 0 when none was.
  Result<std::int64_t> drawn_seq();

  /// Adds each row that is next, as it is now, until the batch is full; where it is gone, one with the key
  /// and a defect that says so. Errors: as read().
  Result<void> look_up(sql::HeldBatchBuilder& batch);

  /// What tells that this is not the database for which the mark was saved, or an older state of it; nullopt:
  /// nothing does. Rows that were never sent may then lie behind the mark.
  Result<std::optional<std::string>> loss_behind(std::int64_t mark,
                                                 const std::optional<std::string>& last_id);

  /// The id of a row, as the table has it; nullopt when there is no such row.
  Result<std::optional<std::string>> id_of(std::int64_t seq);
  /// The same for a row that was read. Errors: as read().
  Result<std::optional<std::string>> stamp_of(std::int64_t seq);

  /// Returns once every commit that was read is on the disk. A service that runs with synchronous = NORMAL
  /// may lose its last commits in a power failure and draw their numbers again; a mark that had passed those
  /// would hide the new rows.
  Result<void> make_durable();

 private:
  OutboxTable(Connection connection, std::string table)
      : connection_(std::move(connection)), table_(std::move(table)) {}

  Result<void> prepare();
  Result<bool> add_row(sql::HeldBatchBuilder& batch);
  Result<Transaction> look_again(std::string_view what);
  Result<std::int64_t> single(Statement& statement, std::string_view what);

  Connection connection_;
  std::string table_;
  Statement read_, row_, version_, id_of_, drawn_;
  std::size_t rows_expected_ = 64;
  std::optional<std::int64_t> durable_version_;  // everything up to it is on the disk
  std::int64_t last_read_ = 0;
  std::optional<std::string> last_id_;         // of the row there
  std::optional<std::int64_t> known_version_;  // with these contents the row there was as it was read
};

}  // namespace outbox::sqlite
