// The relay as its users run it: the program with a configuration file, watched through its log and its HTTP
// server. Owned by the test's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

using Json = nlohmann::json;

struct RouteText {
  std::string name, to;
  std::string more = {};  ///< further lines of the route, as "topics = [\"a\"]"
};

/// What becomes the configuration file; the pauses are shorter than the defaults.
struct RelayConfig {
  std::string database;
  std::vector<RouteText> routes;
  int window = 4096;
  std::string lease = "1s";
  std::string drain_timeout = "10s";
  std::string backoff_max = "200ms";
  int attempts_max = 10;
  std::string source = "/e2e";
  std::string token = {};
  std::string log_level = "info";
  bool http = true;
};

/// One route named main.
RelayConfig config_of(const std::string& database, const std::string& to);

class Outboxd {
 public:
  /// Writes the file; nothing runs until start().
  explicit Outboxd(RelayConfig config);

  RelayConfig config;
  /// Added to the environment by start().
  std::vector<std::pair<std::string, std::string>> environment;
  /// Writes the file again, from `config` as it is now.
  void write_config() const;
  void write_config(const std::string& text) const;
  [[nodiscard]] std::string config_path() const { return directory_ / "outboxd.toml"; }
  [[nodiscard]] int port() const { return port_; }

  void start(std::vector<std::string> more = {});
  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] bool is_running() { return process_ && process_->running(); }
  /// SIGKILL, and waits for the end.
  void kill() { process_.reset(); }
  /// The signal; the exit code once it has ended, -1 if it never did.
  int stop(int signal);

  /// What all its runs have logged so far.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] bool logs(const std::string& text) const;  ///< waits for it

  /// The HTTP status code; 0: nobody answers.
  [[nodiscard]] int get(const std::string& path) const;
  [[nodiscard]] std::string body(const std::string& path) const;
  /// Waits for a status that the condition likes; the last one seen, which may be null.
  Json status_when(const std::function<bool(const Json& status)>& condition) const;
  /// The value of "name" or "name{labels}" in /metrics; nullopt: it is not there.
  [[nodiscard]] std::optional<double> metric(const std::string& name) const;

  /// `outboxd <arguments> --config <file>`, run to its end.
  [[nodiscard]] Finished command(std::vector<std::string> arguments) const;

 private:
  TempDir directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

/// `outboxd <arguments>`, run to its end; with `files_max`, by somebody who may open no more files.
Finished outboxd(std::vector<std::string> arguments, std::optional<int> files_max = {});

/// The route of a status; null when there is none.
Json route_of(const Json& status, const std::string& name = "main");
/// Whether the route is there and in this state.
bool is_in_state(const Json& status, const std::string& state, const std::string& name = "main");
/// The route's reasons and last error, as one text.
std::string reasons_of(const Json& status, const std::string& name = "main");

}  // namespace outbox::test
