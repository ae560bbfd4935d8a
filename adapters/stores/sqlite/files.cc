#include "adapters/stores/sqlite/files.h"

#include <chrono>

#include "schema/embedded.h"

namespace outbox::sqlite {
namespace {

// People and scripts wait rather than fail.
constexpr auto busy = std::chrono::seconds(5);

}  // namespace

Result<Connection> Files::to_write() const {
  if (!file_exists(path()))
    return Error{Fault::unavailable, "sqlite.open: " + path() +
                                         " does not exist; the service or `outboxd migrate up` creates it"};
  return Connection::open(path(), Access::existing, busy);
}

Result<Connection> Files::to_read() const {
  auto connection = to_write();
  if (!connection) return connection;
  // A reader that closes last must not take the lock that a checkpoint needs.
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (auto done = connection->execute("PRAGMA query_only = ON", "open"); !done) return done.error();
  return connection;
}

Result<std::optional<Connection>> Files::state(const Connection& database) const {
  if (!file_exists(state_path_of(database.file()))) return std::optional<Connection>();
  auto file = open_state(database.file(), Access::existing);
  if (!file) return file.error();
  return std::optional<Connection>(std::move(*file));
}

Result<void> Files::attach_state(Connection& database) const {
  auto attach = database.prepare("ATTACH ?1 AS outboxd", "open");
  if (!attach) return attach.error();
  const std::string file = state_path_of(database.file());
  if (const int code = attach->bind(1, file).run(); code != SQLITE_DONE)
    return database.error_of(code, "open");
  return {};
}

Result<void> Files::create_status_view(Connection& database) const {
  return database.execute(for_table(sqlite_status_view(), table()), "open");
}

}  // namespace outbox::sqlite
