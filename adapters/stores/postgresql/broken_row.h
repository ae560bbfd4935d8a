// A row of which a text cannot be converted to UTF-8, as databases of other encodings may have: such a row
// makes every statement fail that returns it. Owned by the thread of the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/postgresql/connection.h"

namespace outbox::postgresql {

class BrokenRow {
 public:
  /// All but its payload; asks for its columns one by one where it must. nullopt: the row is gone. Errors:
  /// unavailable.
  static Result<std::optional<BrokenRow>> read(Connection& connection, const std::string& outbox,
                                               std::int64_t seq);

  /// As decode_row(), with the columns that cannot be converted and the server's reason as its defect; in
  /// such texts each byte that is not ASCII is written as \nnn, headers and data of the kind are left out.
  /// Looks into this object.
  [[nodiscard]] RowView view() const;

 private:
  static std::optional<BrokenRow> of(Rows row, std::int64_t clock, std::string defect);

  Rows row_;
  std::int64_t clock_ = 0;
  std::string defect_;
};

}  // namespace outbox::postgresql
