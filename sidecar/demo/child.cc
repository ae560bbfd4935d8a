#include "demo/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "demo/database.h"

namespace outbox::demo {
namespace {

volatile sig_atomic_t stop_seen = 0;

constexpr const char* this_program = "/proc/self/exe";

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// The settings of the user's own relay are not the demo's.
std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry)
    if (!std::string_view(*entry).starts_with("OUTBOXD_")) result.emplace_back(*entry);
  return result;
}

struct Start {
  const char* directory;
  const char* log;
  char* const* arguments;
  char* const* environment;
};

[[noreturn]] void become(const Start& start, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  // A group of its own: Ctrl-C is for the demo, which then ends its children.
  ::setpgid(0, 0);
  ::signal(SIGPIPE, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  const bool is_there = ::chdir(start.directory) == 0;
  const int log = ::open(start.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!is_there || nothing < 0 || log < 0) ::_exit(127);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execve(this_program, start.arguments, start.environment);
  ::_exit(127);
}

}  // namespace

void remember_stop_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_seen = 1; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() {
  return stop_seen != 0;
}

Child::Child(const std::vector<std::string>& arguments, const std::string& directory,
             const std::string& log) {
  std::vector<std::string> texts = {"outboxd"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment();
  const auto argument_pointers = pointers(texts);
  const auto variable_pointers = pointers(variables);
  const Start start{directory.c_str(), log.c_str(), argument_pointers.data(), variable_pointers.data()};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(start, parent);
  if (pid_ < 0) throw Failed(std::string("cannot start a process: ") + std::strerror(errno));
}

Child::~Child() {
  kill();
}

void Child::note(int status) {
  if (WIFSTOPPED(status))
    is_stopped_ = true;
  else if (WIFEXITED(status))
    exit_code_ = WEXITSTATUS(status);
  else if (WIFSIGNALED(status))
    exit_code_ = 128 + WTERMSIG(status);
}

Child::State Child::state() {
  int status = 0;
  if (!exit_code_ && ::waitpid(pid_, &status, WNOHANG | WUNTRACED) == pid_) note(status);
  if (exit_code_) return State::ended;
  return is_stopped_ ? State::stopped : State::running;
}

void Child::ask_to_end() {
  if (state() != State::ended) ::kill(pid_, SIGTERM);
}

void Child::kill() {
  if (state() == State::ended) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (!exit_code_) {
    if (::waitpid(pid_, &status, 0) == pid_)
      note(status);
    else if (errno != EINTR)
      return;
  }
}

}  // namespace outbox::demo
