// Looks at an MQTT server with mosquitto's own command line clients, as any consumer would. Blocking; stays
// in its test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"
#include "tests/support/mqtt_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

class MqttReader {
 public:
  /// Subscribes to every topic, and to '$5'; when it returns, nothing that is published is missed. It comes
  /// back after the server was away.
  explicit MqttReader(const MosquittoServer& server);

  /// All that has arrived since then, in the order of arrival.
  std::vector<Received> received();
  /// Waits until it is subscribed; after the server was started anew.
  void await();

 private:
  std::vector<std::string> client(const char* program) const;
  bool sees_mark(std::chrono::milliseconds deadline);

  const MosquittoServer& server_;
  TempDir directory_;
  std::string file_ = directory_ / "received";
  int marks_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace outbox::test
