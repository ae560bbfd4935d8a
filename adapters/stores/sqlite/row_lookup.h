// Single rows of the outbox, for those who know their seq. Owned by the thread of its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/files.h"
#include "core/message.h"

namespace outbox::sqlite {

struct FoundRow {
  std::string id;  ///< lower case, with dashes
  std::string topic;
  std::optional<Timestamp> deliver_at;
};

/// SQL for a row's id as it is published: lower case, with dashes, also when it is stored as sixteen bytes.
inline constexpr std::string_view id_text =
    "CASE WHEN typeof(id) = 'blob' AND length(id) = 16 THEN "
    "lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || "
    "substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) ELSE lower(id) END";

class RowLookup {
 public:
  static Result<RowLookup> open(Connection database, const Files& files);

  [[nodiscard]] Connection& database() { return database_; }

  /// nullopt: there is no such row.
  Result<std::optional<FoundRow>> find(std::int64_t seq);

 private:
  explicit RowLookup(Connection database) : database_(std::move(database)) {}

  Connection database_;
  Statement find_;
};

}  // namespace outbox::sqlite
