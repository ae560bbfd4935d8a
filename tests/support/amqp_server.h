// A private RabbitMQ server, which takes some ten seconds to start.
#pragma once

#include <string>
#include <vector>

#include "tests/support/server.h"

namespace outbox::test {

struct RabbitmqOptions {
  std::vector<std::string> settings = {};  ///< more lines of rabbitmq.conf, as "max_message_size = 1000000"
  std::string certificate = {};            ///< PEM; not empty: there is a second listener, with TLS
  std::string key = {};                    ///< PEM
  std::string plugins = {};                ///< their names, with commas
};

/// Its url() has the login guest.
class RabbitmqServer : public Server {
 public:
  explicit RabbitmqServer(const RabbitmqOptions& options = {});

  [[nodiscard]] int tls_port() const { return tls_port_; }

  /// rabbitmqctl: a second or two each. Throws with its output when it fails.
  std::string control(std::vector<std::string> arguments);
  /// That a quorum queue exists reaches the disk minutes after it was declared
  /// (https://github.com/rabbitmq/ra keeps it in a file of dets), and a durable classic one was seen gone
  /// after a kill, unless this is called: kill() would take a young one along, with all its messages.
  void write_down_queues() {
    control({"eval", "mnesia:dump_log(), [dets:sync(Table) || Table <- dets:all()]."});
  }

 private:
  const int tls_port_;
};

}  // namespace outbox::test
