#include "adapters/stores/postgresql/undated_rows.h"

#include <chrono>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/postgresql/broken_row.h"

namespace outbox::postgresql {
namespace {

constexpr Duration interval = std::chrono::seconds(5);
constexpr std::size_t look_rows_max = 100;
constexpr std::size_t session_rows_max = 10'000;

}  // namespace

std::string dating_of(const sql::Tables& tables) {
  const std::string where = std::string(" WHERE ") + is_undated;
  return "WITH dated AS (UPDATE " + tables.outbox + " SET tx = pg_current_xact_id()" + where +
         " RETURNING seq) DELETE FROM " + tables.held + " WHERE seq IN (SELECT seq FROM dated)";
}

Result<Batch> UndatedRows::look(Instant now, const Mark& end) {
  Batch batch;
  batch.end = end;
  batch.cursor = end.cursor;
  if ((looked_ && now - *looked_ < interval) || told_.size() >= session_rows_max) return batch;
  looked_ = now;
  const std::string limit = std::to_string(told_.size() + look_rows_max);
  auto rows = connection_->run("read",
                               "SELECT o.seq, o.tx FROM " + outbox_ + " o WHERE o." + is_undated +
                                   " AND NOT EXISTS (SELECT FROM " + held_ +
                                   " h WHERE h.route = $1 AND h.seq = o.seq) ORDER BY o.tx, o.seq LIMIT $2",
                               {route_.c_str(), limit.c_str()});
  if (!rows) return rows.error();
  BatchBuilder builder({look_rows_max, std::size_t{1} << 24});
  for (int i = 0; i < rows->count() && !builder.full(); ++i) {
    const std::int64_t seq = rows->integer(i, 0);
    if (!told_.insert(seq).second) continue;
    auto row = BrokenRow::read(*connection_, outbox_, seq);
    if (!row) return row.error();
    if (!*row) continue;
    const std::string defect =
        "tx is " + rows->string(i, 1) +
        ", a transaction that this server has not had: a restore has brought the row, or "
        "somebody has changed it; requeue it to send it";
    RowView view = (*row)->view();
    view.defect = defect;
    builder.add(view);
  }
  if (builder.size() == 0) return batch;
  looked_.reset();  // there may be more
  batch = builder.take();
  batch.end = end;
  batch.cursor = end.cursor;
  batch.more = true;
  return batch;
}

}  // namespace outbox::postgresql
