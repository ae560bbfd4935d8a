#include "adapters/stores/sqlite/shape.h"

#include <algorithm>
#include <string_view>

#include "adapters/common/batch_builder.h"
#include "base/text.h"

namespace outbox::sqlite {
namespace {

constexpr std::string_view correct_it =
    "compare it with the table of `outboxd migrate print --dialect sqlite` and correct it";

Finding fault(std::string what, std::string_view fix) {
  return {Finding::Level::fault, std::move(what), std::string(fix)};
}

}  // namespace

Result<std::vector<Finding>> faults_of(Connection& connection, const std::string& table) {
  auto statement = connection.prepare("SELECT name, type, pk FROM pragma_table_xinfo(?1)", "check");
  if (!statement) return statement.error();
  statement->bind(1, table);
  std::vector<std::string> found;
  bool seq_is_rowid = false;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    found.push_back(lower(statement->text(0)));
    if (found.back() == "seq")
      seq_is_rowid = lower(statement->text(1)) == "integer" && statement->number(2) == 1;
  }
  if (code != SQLITE_DONE) return connection.error_of(code, "check");

  const std::string name = "table " + quoted_name(table) + " in " + connection.file();
  if (found.empty())
    return std::vector<Finding>{fault(name + " is missing", "run `outboxd migrate up --db URL`")};
  std::vector<Finding> faults;
  for (const auto column : outbox_column_names)
    if (std::ranges::find(found, column) == found.end())
      faults.push_back(fault(name + " has no column " + std::string(column), correct_it));
  int counts_up = 0;
  // Without AUTOINCREMENT the number of a removed row is drawn again, below the mark: the new row would never
  // be sent.
  const int known = sqlite3_table_column_metadata(connection.handle(), "main", table.c_str(), "seq", nullptr,
                                                  nullptr, nullptr, nullptr, &counts_up);
  if (std::ranges::find(found, "seq") != found.end() && (!seq_is_rowid || known != SQLITE_OK || !counts_up))
    faults.push_back(fault(name + ": column seq is not INTEGER PRIMARY KEY AUTOINCREMENT", correct_it));
  return faults;
}

}  // namespace outbox::sqlite
