// A private redis-server: temporary directory, free loopback port, stopped with the object. Owned by the
// test's thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct RedisOptions {
  std::string append_fsync = "everysec";    ///< "always", "everysec", "no"
  std::string password = {};                ///< requirepass; empty: none
  std::vector<std::string> arguments = {};  ///< more of redis-server's own, as {"--maxmemory", "4mb"}
};

class RedisServer {
 public:
  /// Starts and waits until it answers. Throws with its log when it does not.
  explicit RedisServer(RedisOptions options = {});

  [[nodiscard]] int port() const { return port_; }
  /// redis://127.0.0.1:port, with the password when there is one.
  [[nodiscard]] std::string url() const;

  /// kill -9, and waits for the end.
  void kill();
  /// On the same port, with the same directory: what the append-only file holds is there again.
  void start();
  /// The same, and returns while it still reads what it had stored, slowed down to so much for each key.
  void start_slowly(std::chrono::microseconds for_each_key);
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();

 private:
  void launch(const std::vector<std::string>& more);

  RedisOptions options_;
  TempDir directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
