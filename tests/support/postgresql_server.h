// A private PostgreSQL server.
#pragma once

#include <string>
#include <vector>

#include "tests/support/server.h"

namespace outbox::test {

struct PostgresqlOptions {
  bool fsync = false;                 ///< on: commits reach the disk, as in production and for benchmarks
  std::vector<std::string> settings;  ///< more of postgresql.conf, as "max_connections=300"
};

/// The newest that is installed; the superuser is postgres, without a password. Root starts it as the user
/// postgres.
class PostgresqlServer : public Server {
 public:
  explicit PostgresqlServer(const PostgresqlOptions& options = {});
  ~PostgresqlServer();

  /// One server for all tests of a program: starting takes a second or two.
  static PostgresqlServer& shared();

  [[nodiscard]] std::string url(const std::string& database = "postgres",
                                const std::string& user = "postgres") const;

  /// Makes an empty database with a name of its own; its URL.
  std::string new_database(const std::string& more = "");

  /// Fast shutdown: sessions are ended, everything is written.
  void stop();
  /// Immediate shutdown, as after a crash: nothing more is written, the next start recovers from the WAL.
  void crash();
  /// start() as a standby, which follows nobody and can only be read.
  void start_as_standby();
  /// psql with a file; throws with its output when it fails.
  void run_file(const std::string& database_url, const std::string& path,
                const std::vector<std::string>& variables) const;

 private:
  void psql(std::vector<std::string> arguments) const;
  void end_with(int signal);

  int databases_ = 0;
};

/// Statements that change what the outbox's triggers keep, as a restore with --disable-triggers does.
inline std::string untriggered(const std::string& statements) {
  return "ALTER TABLE outbox DISABLE TRIGGER USER; " + statements +
         "; ALTER TABLE outbox ENABLE TRIGGER USER, ENABLE ALWAYS TRIGGER outbox_stamp, ENABLE ALWAYS "
         "TRIGGER "
         "outbox_keep_tx";
}

}  // namespace outbox::test
