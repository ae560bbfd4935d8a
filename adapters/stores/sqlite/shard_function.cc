#include "adapters/stores/sqlite/shard_function.h"

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/shard.h"

namespace outbox::sqlite {
namespace {

/// Bytes as the relay reads a key: text as UTF-8, a blob as it is, numbers as SQLite writes them.
std::optional<std::string_view> bytes_of(sqlite3_value* value) {
  const int kind = sqlite3_value_type(value);
  if (kind == SQLITE_NULL) return std::nullopt;
  const void* data = kind == SQLITE_BLOB ? sqlite3_value_blob(value) : sqlite3_value_text(value);
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return data ? std::string_view(static_cast<const char*>(data), size) : std::string_view();
}

void shard_in_sql(sqlite3_context* context, int, sqlite3_value** arguments) {
  const int shards = sqlite3_value_int(arguments[2]);
  if (shards < 1) return sqlite3_result_error(context, "outbox_shard: shards must be positive", -1);
  sqlite3_result_int(context, shard_of(bytes_of(arguments[0]), sqlite3_value_int64(arguments[1]), shards));
}

}  // namespace

Result<void> add_shard_function(Connection& connection) {
  const int code =
      sqlite3_create_function_v2(connection.handle(), "outbox_shard", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                 nullptr, shard_in_sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return connection.error_of(code, "open");
  return {};
}

}  // namespace outbox::sqlite
