#include "adapters/stores/sqlite/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>

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

constexpr mode_t group_bits = 0060;

/// The database's owner and group where this process may give them, and its mode; without its group nothing
/// for another one.
void dress_like(const struct stat& database, int file) {
  const bool has_group = ::fchown(file, database.st_uid, database.st_gid) == 0 ||
                         ::fchown(file, static_cast<uid_t>(-1), database.st_gid) == 0;
  ::fchmod(file, (database.st_mode & (has_group ? 0666 : 0666 & ~group_bits)) | 0600);
}

/// Keys and errors of the service's rows stand in it: nobody may read it, also for a moment, who may not read
/// the database. SQLite gives its -wal and -shm the file's own mode and owner. A file that is there is never
/// opened here: closing it would take this process's locks on it. What fails is SQLite's to report.
void permit_like(const std::string& database, const std::string& path) {
  struct stat model {
  }, found{};
  if (::stat(database.c_str(), &model) != 0) return;
  if (::lstat(path.c_str(), &found) == 0) {
    const mode_t narrowed = found.st_mode & ((model.st_mode & 0666) | 0600);
    if (S_ISREG(found.st_mode) && found.st_uid == ::geteuid() && narrowed != (found.st_mode & 07777))
      ::chmod(path.c_str(), narrowed);
    return;
  }
  std::string fresh = path + ".XXXXXX";
  const int file = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (file < 0) return;
  dress_like(model, file);
  ::close(file);
  [[maybe_unused]] const int linked = ::link(fresh.c_str(), path.c_str());  // another relay may be faster
  ::unlink(fresh.c_str());
}

}  // namespace

Result<Connection> open_state(const std::string& database, Access access) {
  if (access == Access::create) permit_like(database, state_path_of(database));
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
