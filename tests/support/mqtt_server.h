// A private mosquitto, which keeps all that waits for a consumer and saves it every second.
#pragma once

#include <string>
#include <vector>

#include "tests/support/server.h"

namespace outbox::test {

struct MosquittoOptions {
  std::string user = {};      ///< the only login there is; empty: anybody may come
  std::string password = {};  ///< of `user`
  std::vector<std::string> rights =
      {};  ///< lines of an acl_file, as "topic write order/#"; none: every right
  std::vector<std::string> settings = {};  ///< more lines of its configuration, as "max_inflight_messages 2"
};

class MosquittoServer : public Server {
 public:
  explicit MosquittoServer(MosquittoOptions options = {});

  /// mqtt://127.0.0.1:port, with the login when there is one.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] const std::string& user() const { return options_.user; }
  [[nodiscard]] const std::string& password() const { return options_.password; }

  /// From now on; the server reads its files anew.
  void change_rights(const std::vector<std::string>& rights);

 private:
  const MosquittoOptions options_;
};

}  // namespace outbox::test
