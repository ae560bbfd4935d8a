// One process of the demo: this program again, with other arguments. Owned by the demo's only thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace outbox::demo {

/// SIGINT, SIGTERM and SIGHUP no longer end this process: they are remembered. SIGPIPE is ignored.
void remember_stop_signals();
bool stop_requested();

class Child {
 public:
  enum class State { running, stopped, ended };

  /// Runs in `directory`, with its output appended to `log` there and without OUTBOXD_ variables. It does not
  /// survive its parent. Throws Failed.
  Child(const std::vector<std::string>& arguments, const std::string& directory, const std::string& log);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// kill().
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  State state();
  /// 128 + the signal that ended it, else its exit code; nullopt while it lives.
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }
  /// SIGTERM.
  void ask_to_end();
  /// SIGKILL; returns when it is gone.
  void kill();

 private:
  void note(int status);

  pid_t pid_ = -1;
  bool is_stopped_ = false;
  std::optional<int> exit_code_;
};

}  // namespace outbox::demo
