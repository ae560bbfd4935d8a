// A private RabbitMQ server: temporary directory, free loopback ports, a port mapper of its own, stopped with
// the object. Owned by the test's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct RabbitmqOptions {
  std::vector<std::string> settings = {};  ///< more lines of rabbitmq.conf, as "max_message_size = 1000000"
  std::string certificate = {};            ///< PEM; not empty: there is a second listener, with TLS
  std::string key = {};                    ///< PEM
  std::vector<std::string> plugins = {};
};

class RabbitmqServer {
 public:
  /// Starts, which takes some ten seconds, and waits until it listens. Throws with its log when it does not.
  explicit RabbitmqServer(RabbitmqOptions options = {});

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int tls_port() const { return tls_port_; }
  /// amqp://guest:guest@127.0.0.1:port
  [[nodiscard]] std::string url() const;

  /// kill -9, and waits for the end.
  void kill();
  /// On the same ports, with the same directory; nothing when it runs.
  void start();
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();

  /// rabbitmqctl: a second or two each. Throws with its output when it fails.
  std::string control(std::vector<std::string> arguments);
  /// That a quorum queue exists reaches the disk minutes after it was declared
  /// (https://github.com/rabbitmq/ra keeps it in a file of dets), unless this is called: kill() would take a
  /// young one along, with all its messages.
  void write_down_queues() { control({"eval", "[dets:sync(Table) || Table <- dets:all()]."}); }

 private:
  using Environment = std::vector<std::pair<std::string, std::string>>;
  [[nodiscard]] Environment environment() const;
  void write_configuration() const;

  RabbitmqOptions options_;
  TempDir directory_;
  int port_, tls_port_, distribution_port_, mapper_port_;
  std::unique_ptr<Process> mapper_;  ///< epmd, which the server would leave behind if it started its own
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
