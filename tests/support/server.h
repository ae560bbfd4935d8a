// A private server: what scripts/servers/NAME starts, in a temporary directory, on free loopback ports, ended
// with the object. Owned by the test's thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

class Server {
 public:
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int port() const { return ports_[0]; }
  /// With 127.0.0.1 and port(), as its launcher says: without a login of the test's.
  [[nodiscard]] const std::string& url() const { return url_; }
  /// All it has written since it was started.
  [[nodiscard]] std::string log() const { return process_->output(); }

  /// kill -9, and waits for the end.
  void kill() { process_.reset(); }
  /// On the same ports, with what it had stored; returns when it takes clients. Nothing when it runs. Throws
  /// with its log when it does not start.
  void start();
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();

 protected:
  /// Nothing runs before start().
  explicit Server(std::string name);
  ~Server() = default;

  /// One more of its ports, as the launcher uses them: 1 and 2.
  [[nodiscard]] int port(std::size_t which) const { return ports_.at(which); }
  /// The launcher with these beside directory and ports.
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& more) const;
  /// Starts it, and waits only until `is_ready`.
  void start_until(const std::function<bool()>& is_ready, const std::vector<std::string>& more);
  [[nodiscard]] bool is_ready();

  TempDir directory_;
  std::vector<std::string> more_;  ///< what the launcher is told
  std::vector<std::pair<std::string, std::string>> environment_;
  std::unique_ptr<Process> process_;

 private:
  const std::string name_;
  std::array<int, 3> ports_;
  std::string url_;
};

/// What this machine lacks for a server; empty: nothing.
std::string server_missing(const std::string& name);

}  // namespace outbox::test
