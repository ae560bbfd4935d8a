// SQLite's words for what the books leave open: stores/sql/dialect.h. Times are ISO 8601 texts of one length,
// reckoned by functions that SqliteSession adds; a statement with row columns is run row by row. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/stores/sql/dialect.h"

namespace outbox::sqlite {

class SqliteDialect final : public sql::Dialect {
 public:
  using Dialect::Dialect;

  [[nodiscard]] std::string patterns(std::span<const std::string> topics) const override;
  [[nodiscard]] std::string topic_of(std::string_view pattern) const override;
  [[nodiscard]] std::string numbers(std::span<const std::int64_t> numbers) const override;

 protected:
  [[nodiscard]] std::string fragment(std::string_view name,
                                     std::span<const std::string> arguments) const override;
  [[nodiscard]] std::string finished(std::string text) const override;
  [[nodiscard]] std::string rows(const std::vector<std::pair<std::string, std::string>>& columns,
                                 int first) const override;
  [[nodiscard]] std::string row_column(std::string_view name, int place) const override;
};

/// The tables of a connection whose main database is the relay's file; `outbox`, ready for SQL, is empty
/// where the services' database is not attached.
sql::Tables books_tables(const std::string& outbox);

}  // namespace outbox::sqlite
