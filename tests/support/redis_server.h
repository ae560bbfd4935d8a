// A private redis-server.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/server.h"

namespace outbox::test {

struct RedisOptions {
  std::string append_fsync = "everysec";    ///< "always", "everysec", "no"
  std::string password = {};                ///< requirepass; empty: none
  std::vector<std::string> arguments = {};  ///< more of redis-server's own, as {"--maxmemory", "4mb"}
};

class RedisServer : public Server {
 public:
  explicit RedisServer(RedisOptions options = {});

  /// redis://127.0.0.1:port, with the password when there is one.
  [[nodiscard]] std::string url() const;
  /// As start(), and returns while it still reads what it had stored, slowed down to so much for each key.
  void start_slowly(std::chrono::microseconds for_each_key);

 private:
  const std::string password_;
};

}  // namespace outbox::test
