// A database of one of the demo's services: the SQLite adapter's connection for code that ends when anything
// fails. Belongs to the thread that made it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/database.h"

namespace outbox::demo {

/// Something of the demo's own cannot go on; the text says why. Caught where the command began.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// All methods throw Failed.
class Database {
 public:
  /// Made when missing, in WAL mode. Waits up to 10 s for another process's lock.
  explicit Database(const std::string& path);

  void execute(const std::string& sql);
  sqlite::Statement prepare(std::string_view sql);
  /// True: a row is there to be read. False: the statement is through and reset.
  bool step(sqlite::Statement& statement);
  /// Runs to the end; rows are passed over.
  void run(sqlite::Statement& statement);
  std::int64_t number(std::string_view sql);

  /// Rolled back unless committed.
  sqlite::Transaction begin();
  void commit(sqlite::Transaction& transaction);

 private:
  sqlite::Connection connection_;
};

}  // namespace outbox::demo
