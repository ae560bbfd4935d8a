// The two files of a SQLite outbox, as commands and upkeep open them: for one call, and closed again after
// it. Any thread; what it returns belongs to the thread that asked.
#pragma once

#include <optional>
#include <string>

#include "adapters/stores/sqlite/database.h"
#include "adapters/stores/sqlite/state_file.h"
#include "adapters/stores/sqlite/target.h"

namespace outbox::sqlite {

class Files {
 public:
  explicit Files(Target target) : target_(std::move(target)) {}

  [[nodiscard]] const std::string& path() const { return target_.path; }
  [[nodiscard]] const std::string& table() const { return target_.table; }

  /// main."table", fit for SQL.
  [[nodiscard]] std::string rows() const { return "main." + quoted_name(target_.table); }

  /// The service's database, which must be there; a reader never makes or checkpoints it. Errors:
  /// unavailable.
  Result<Connection> to_read() const;
  Result<Connection> to_write() const;

  /// The relay's file beside the database, with its tables up to date; nullopt when there is none yet.
  Result<std::optional<Connection>> state(const Connection& database) const;

  /// Attaches the relay's file as outboxd, before any transaction. Precondition: state() has seen it.
  Result<void> attach_state(Connection& database) const;

  /// Creates the TEMP view outbox_status. Precondition: attach_state().
  Result<void> create_status_view(Connection& database) const;

 private:
  Target target_;
};

}  // namespace outbox::sqlite
