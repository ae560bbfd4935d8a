// A child process of a test: started, watched, killed by its own id. Owned by the test's thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/eventually.h"

namespace outbox::test {

struct ProcessOptions {
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to the test's own
  std::string directory;                                         ///< where it runs; empty: here
  std::optional<std::string> output_file;  ///< appended to; default: captured, see Process::output()
  std::string input;                       ///< its standard input; at most 64 KiB
};

class Process {
 public:
  /// Starts arguments[0], looked up in PATH. Standard output and error go to one place. The child dies with
  /// the test. Throws when it cannot be started.
  explicit Process(std::vector<std::string> arguments, ProcessOptions options = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Kills with SIGKILL what still runs, and waits for it.
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  void signal(int number);
  /// SIGSTOP, and waits until no thread of it runs any more: on a busy machine that is later.
  void freeze();
  /// SIGKILL, and waits for the end.
  void kill();
  /// The exit code, 128 + signal when a signal ended it; nullopt when it still runs at the deadline.
  std::optional<int> wait(std::chrono::milliseconds deadline = patience);
  /// All it has written so far.
  [[nodiscard]] std::string output() const;

 private:
  bool reap(bool block);

  pid_t pid_ = -1;
  int captured_ = -1;  ///< an unlinked temporary file, so that a child that writes much never blocks
  std::string output_file_;
  std::optional<int> exit_code_;
};

struct Finished {
  int exit_code = 0;
  std::string output;
};

/// Runs to the end; throws when it takes longer than `deadline`.
Finished run(std::vector<std::string> arguments, ProcessOptions options = {},
             std::chrono::milliseconds deadline = patience);

}  // namespace outbox::test
