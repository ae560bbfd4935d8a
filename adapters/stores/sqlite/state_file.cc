#include "adapters/stores/sqlite/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

#include "adapters/stores/sqlite/target.h"
#include "base/json_text.h"
#include "base/text.h"
#include "schema/embedded.h"

namespace outbox::sqlite {
namespace {

// Every transaction on this file is a few rows; who holds it longer is stuck.
constexpr auto busy = std::chrono::seconds(1);

Result<void> migrate(Connection& connection) {
  constexpr std::string_view what = "state.migrate";
  const auto migrations = sqlite_state_migrations();
  const auto newest = static_cast<std::int64_t>(migrations.size());
  auto version = connection.number("PRAGMA user_version", what);
  if (!version) return version.error();
  if (*version == newest) return {};

  auto transaction = Transaction::begin(connection, what);
  if (!transaction) return transaction.error();
  version = connection.number("PRAGMA user_version", what);  // another relay may have been faster
  if (!version) return version.error();
  if (version->value_or(0) > newest)
    return Error{Fault::misconfigured,
                 "sqlite.state: " + connection.file() +
                     " was written by a newer outboxd; run that version or a later one"};
  for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(version->value_or(0))))
    if (auto done = connection.execute(migration.up, what); !done) return done;
  if (auto done = connection.execute("PRAGMA user_version = " + std::to_string(newest), what); !done)
    return done;
  return transaction->commit(what);
}

/// Keys and errors of the service's rows stand in it: made beforehand, that nobody may read it for a moment
/// who may not read the database. SQLite gives its -wal and -shm the file's own mode and owner. What cannot
/// be made here is SQLite's to report.
void create_like(const std::string& database, const std::string& path) {
  struct stat status {};
  if (::stat(database.c_str(), &status) != 0) return;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return;
  // Another's group must not read what was meant for the database's: without the owner no more than 0600.
  const bool is_owned = (status.st_uid == ::geteuid() && status.st_gid == ::getegid()) ||
                        ::fchown(file, status.st_uid, status.st_gid) == 0;
  if (is_owned) ::fchmod(file, status.st_mode & 0666);
  ::close(file);
}

}  // namespace

Result<Connection> open_state(const std::string& database, Access access) {
  if (access == Access::create) create_like(database, state_path_of(database));
  auto connection = Connection::open(state_path_of(database), access, busy);
  if (!connection) {
    Error error = connection.error();
    if (access == Access::create)
      error.text +=
          "; the relay keeps its marks in this file: give its user the right to write it and to create files "
          "beside the database";
    return error;
  }
  // A mark that a power failure takes back repeats more than the window: FULL, so that it is on the disk when
  // settle returns.
  if (auto done = connection->use_wal("state.open"); !done) return done.error();
  if (auto done = connection->execute("PRAGMA synchronous = FULL", "state.open"); !done) return done.error();
  if (auto done = migrate(*connection); !done) return done.error();
  return connection;
}

Result<Connection> open_empty_state() {
  auto connection = Connection::open(":memory:", Access::create, busy);
  if (!connection) return connection;
  if (auto done = migrate(*connection); !done) return done.error();
  return connection;
}

}  // namespace outbox::sqlite
