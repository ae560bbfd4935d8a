// A private mosquitto: temporary directory, free loopback port, stopped with the object. Owned by the test's
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct MosquittoOptions {
  std::string user = {};      ///< the only login there is; empty: anybody may come
  std::string password = {};  ///< of `user`
  std::vector<std::string> rights =
      {};  ///< lines of an acl_file, as "topic write order/#"; none: every right
  std::vector<std::string> settings = {};  ///< more lines of its configuration, as "max_inflight_messages 2"
};

class MosquittoServer {
 public:
  /// Starts and waits until it listens. Throws with its log when it does not. It keeps all that waits for a
  /// consumer, and saves it every second.
  explicit MosquittoServer(MosquittoOptions options = {});

  [[nodiscard]] int port() const { return port_; }
  /// mqtt://127.0.0.1:port, with the login when there is one.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] const std::string& user() const { return options_.user; }
  [[nodiscard]] const std::string& password() const { return options_.password; }
  [[nodiscard]] std::string log() const { return process_->output(); }

  /// kill -9, and waits for the end.
  void kill();
  /// On the same port, with what it had saved.
  void start();
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();
  /// From now on; the server reads its files anew.
  void change_rights(std::vector<std::string> rights);

 private:
  void write_rights();

  MosquittoOptions options_;
  TempDir directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
