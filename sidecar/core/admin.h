// Port: what operators and commands ask of a database, beside the relay's own session. Blocking; each object
// belongs to the thread that made it. Adapters: adapters/stores/<name>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/message.h"
#include "core/upkeep.h"

namespace outbox {

/// One line of `outboxd check`.
struct Finding {
  enum class Level { ok, warning, fault };
  Level level = Level::ok;
  std::string what;
  std::string fix;  ///< what to do about it; empty when ok
};

/// What `outboxd send` inserts.
struct NewRow {
  std::optional<std::string> id;  ///< default: the database draws one
  std::string topic;
  std::optional<std::string> key;
  std::optional<std::string> type;
  std::string payload;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> deliver_at;  ///< RFC 3339
};

/// One migration, as files say and as the database says.
struct Migration {
  int version = 0;
  std::string name;
  std::string checksum;  ///< SHA-256 of the .up.sql, hex
  std::string up;
  std::string down;
};

struct AppliedMigration {
  int version = 0;
  std::string name;
  std::string checksum;
  std::string applied_at;  ///< RFC 3339
};

class Admin {
 public:
  virtual ~Admin() = default;

  /// Server, tables, columns, grants: one finding each. Errors: unavailable when the database cannot be
  /// reached.
  virtual Result<std::vector<Finding>> check() = 0;

  /// Inserts one row in a transaction of its own; the row's id.
  virtual Result<std::string> send(const NewRow& row) = 0;

  /// For benchmarks: inserts `count` rows like `row`, in transactions of many rows, each with an id of its
  /// own. `keys` > 0: with so many different keys in turn, key-0, key-1, ... On failure some may be there.
  virtual Result<void> send_many(const NewRow& row, std::int64_t count, std::int64_t keys) = 0;

  /// Migrations applied so far, by version; empty when there are none.
  virtual Result<std::vector<AppliedMigration>> migrations() = 0;

  /// Applies one migration and its record in one transaction; waits for other processes that migrate. False:
  /// another process has applied it meanwhile.
  virtual Result<bool> apply(const Migration& migration) = 0;

  /// Reverts one. Refused when rows would be dropped that are not sent, unless `force`.
  virtual Result<void> revert(const Migration& migration, bool force) = 0;
};

}  // namespace outbox
