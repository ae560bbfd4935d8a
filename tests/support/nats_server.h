// A private nats-server with JetStream: temporary directory, free loopback port, stopped with the object.
// Owned by the test's thread.
#pragma once

#include <memory>
#include <string>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct NatsServerOptions {
  bool has_jetstream = true;
  std::string more = {};  ///< of nats-server's own configuration: authorization {...}, tls {...}, max_payload
};

class NatsServer {
 public:
  /// Starts and waits until it answers. Throws with its log when it does not.
  explicit NatsServer(NatsServerOptions options = {});

  [[nodiscard]] int port() const { return port_; }
  /// nats://127.0.0.1:port, without a login.
  [[nodiscard]] std::string url() const;

  /// kill -9, and waits for the end.
  void kill();
  /// On the same port, with the streams that it had stored.
  void start();
  /// Ends it, and starts it again with this in the place of the options' `more`.
  void restart_with(std::string more);
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();
  /// It takes no new connections, tells its clients so, and ends a little later.
  void enter_lame_duck_mode();

 private:
  void write_configuration() const;

  NatsServerOptions options_;
  TempDir directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
