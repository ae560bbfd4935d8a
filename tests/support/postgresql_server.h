// A private PostgreSQL server: temporary directory, free loopback port, stopped with the object. Owned by the
// test's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct PostgresqlOptions {
  bool fsync = false;                 ///< on: commits reach the disk, as in production and for benchmarks
  std::vector<std::string> settings;  ///< more of postgresql.conf, as "max_connections=300"
};

class PostgresqlServer {
 public:
  /// Makes a cluster with the newest installed server and starts it; the superuser is postgres, without a
  /// password. Throws with the server's log when it does not start. Root starts it as the user postgres.
  explicit PostgresqlServer(PostgresqlOptions options = {});
  PostgresqlServer(const PostgresqlServer&) = delete;
  PostgresqlServer& operator=(const PostgresqlServer&) = delete;
  ~PostgresqlServer();

  /// One server for all tests of a program: starting takes a second or two.
  static PostgresqlServer& shared();

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& database = "postgres",
                                const std::string& user = "postgres") const;

  /// Makes an empty database with a name of its own; its URL.
  std::string new_database();

  /// Fast shutdown: sessions are ended, everything is written.
  void stop();
  /// Immediate shutdown, as after a crash: nothing more is written, the next start recovers from the WAL.
  void crash();
  /// On the same port with the same data.
  void start();
  /// The same as a standby, which follows nobody and can only be read.
  void start_as_standby();
  /// psql with a file; throws with its output when it fails.
  void run_file(const std::string& database_url, const std::string& path,
                const std::vector<std::string>& variables) const;

 private:
  PostgresqlOptions options_;
  std::string programs_;  ///< the directory of initdb and postgres
  TempDir directory_;
  int port_;
  int databases_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
