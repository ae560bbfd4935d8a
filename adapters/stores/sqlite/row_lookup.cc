#include "adapters/stores/sqlite/row_lookup.h"

#include "base/timestamp.h"

namespace outbox::sqlite {

Result<RowLookup> RowLookup::open(Connection database, const Files& files) {
  RowLookup result(std::move(database));
  const std::string sql =
      "SELECT " + std::string(id_text) + ", topic, deliver_at FROM " + files.rows() + " WHERE seq = ?1";
  if (auto done = result.database_.prepare_into(result.find_, sql, "read"); !done) return done.error();
  return result;
}

Result<std::optional<FoundRow>> RowLookup::find(std::int64_t seq) {
  const int code = find_.bind(1, seq).step();
  std::optional<FoundRow> found;
  if (code == SQLITE_ROW) found = FoundRow{find_.string(0), find_.string(1), parse_timestamp(find_.text(2))};
  find_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return database_.error_of(code, "read");
  return found;
}

}  // namespace outbox::sqlite
