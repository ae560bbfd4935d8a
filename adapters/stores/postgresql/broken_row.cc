#include "adapters/stores/postgresql/broken_row.h"

#include <array>
#include <utility>

#include "adapters/stores/postgresql/row_decoder.h"

namespace outbox::postgresql {
namespace {

// Prepared anew each time, without a name: it is rare.
constexpr const char* unnamed = "";

constexpr std::array columns = {"topic", "message_key", "type", "data", "content_type", "headers"};
/// Of which nothing but ASCII is returned.
using Spelt = std::array<bool, columns.size()>;

/// $1 seq, from $2 on whether each of the columns is spelt.
std::string statement_of(const std::string& outbox) {
  const auto spelt = [](const std::string& name, const std::string& flag) {
    return "CASE WHEN $" + flag + "::boolean THEN encode(convert_to(" + name +
           ", getdatabaseencoding()), 'escape') ELSE " + name + " END";
  };
  return "SELECT " + leading("''", "''") + " UNION ALL (SELECT seq, id, " + spelt("topic", "2") + ", " +
         spelt("message_key", "3") + ", " + spelt("type", "4") +
         ", NULL::bytea, CASE WHEN NOT $5::boolean THEN data END, " + spelt("content_type", "6") +
         ", CASE WHEN NOT $7::boolean THEN headers ELSE '{}' END, created_at, deliver_at FROM " + outbox +
         " WHERE seq = $1::bigint)";
}

struct Found {
  Rows row;
  std::int64_t clock = 0;
};

/// No row: it is gone.
Result<Found> ask(Connection& connection, std::int64_t seq, const Spelt& spelt) {
  const std::string number = std::to_string(seq);
  Parameters parameters = {number.c_str()};
  for (const bool one : spelt) parameters.push_back(one ? "t" : "f");
  if (auto begun = connection.start("read", unnamed, parameters); !begun) return begun.error();
  Found found;
  for (;;) {
    auto row = connection.next("read");
    if (!row) return row.error();
    if (!row->get() || row->count() == 0) return found;
    if (is_leading(row->get()))
      found.clock = decode_leading(row->get()).clock;
    else
      found.row = std::move(*row);
  }
}

}  // namespace

Result<std::optional<BrokenRow>> BrokenRow::read(Connection& connection, const std::string& outbox,
                                                 std::int64_t seq) {
  if (auto done = connection.prepare(unnamed, statement_of(outbox)); !done) return done.error();
  Spelt guilty{};
  auto whole = ask(connection, seq, guilty);
  if (whole) return BrokenRow::of(std::move(whole->row), whole->clock, {});
  if (connection.conversion_fault().empty()) return whole.error();
  std::string defect;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    Spelt others;
    others.fill(true);
    others[column] = false;
    auto found = ask(connection, seq, others);
    if (found) continue;
    if (connection.conversion_fault().empty()) return found.error();
    guilty[column] = true;
    defect += (defect.empty() ? "column " : "; column ") + std::string(columns[column]) +
              " cannot be converted to UTF-8: " + connection.conversion_fault();
  }
  auto found = ask(connection, seq, guilty);
  if (!found) return found.error();
  return BrokenRow::of(std::move(found->row), found->clock, std::move(defect));
}

std::optional<BrokenRow> BrokenRow::of(Rows row, std::int64_t clock, std::string defect) {
  if (!row.get()) return std::nullopt;
  BrokenRow broken;
  broken.row_ = std::move(row);
  broken.clock_ = clock;
  broken.defect_ = std::move(defect);
  return broken;
}

RowView BrokenRow::view() const {
  RowView row = decode_row(row_.get(), clock_);
  if (!defect_.empty()) row.defect = defect_;
  return row;
}

}  // namespace outbox::postgresql
