#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace outbox::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// What the child needs between fork and exec, made before the fork: a child of a threaded test may not
/// allocate.
struct Prepared {
  std::vector<std::string> environment;
  std::vector<char*> arguments_view, environment_view;
};

Prepared prepare(std::vector<std::string>& arguments, const ProcessOptions& options) {
  Prepared prepared;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const auto is_replaced = [&](const auto& added) { return text.starts_with(added.first + "="); };
    if (std::ranges::none_of(options.environment, is_replaced)) prepared.environment.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) prepared.environment.push_back(name + "=" + value);
  for (std::string& text : arguments) prepared.arguments_view.push_back(text.data());
  for (std::string& text : prepared.environment) prepared.environment_view.push_back(text.data());
  prepared.arguments_view.push_back(nullptr);
  prepared.environment_view.push_back(nullptr);
  return prepared;
}

int open_input(const std::string& text) {
  if (text.empty()) return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  if (::write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    fail("write to a pipe");
  ::close(ends[1]);
  return ends[0];
}

}  // namespace

Process::Process(std::vector<std::string> arguments, ProcessOptions options) {
  Prepared prepared = prepare(arguments, options);
  const int input = open_input(options.input);
  int output = -1;
  if (options.output_file) {
    output_file_ = *options.output_file;
    output = ::open(output_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  } else {
    captured_ = ::memfd_create("output", MFD_CLOEXEC);
    output = ::fcntl(captured_, F_DUPFD_CLOEXEC, 0);
    ::fcntl(output, F_SETFL, O_APPEND);
  }
  if (input < 0 || output < 0) fail("cannot redirect the child's input and output");

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(127);
    ::execvpe(prepared.arguments_view[0], prepared.arguments_view.data(), prepared.environment_view.data());
    ::_exit(127);
  }
  ::close(input);
  ::close(output);
  if (pid_ < 0) fail("fork");
}

Process::~Process() {
  kill();
  if (captured_ >= 0) ::close(captured_);
}

bool Process::reap(bool block) {
  if (exit_code_) return true;
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, block ? 0 : WNOHANG);
  if (reaped != pid_) return false;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool Process::running() {
  return !reap(false);
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

void Process::freeze() {
  if (!running()) return;
  ::kill(pid_, SIGSTOP);
  siginfo_t ignored;
  ::waitid(P_PID, static_cast<id_t>(pid_), &ignored, WSTOPPED | WEXITED | WNOWAIT);
}

void Process::kill() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

std::optional<int> Process::wait(std::chrono::milliseconds deadline) {
  if (!eventually([this] { return reap(false); }, deadline)) return std::nullopt;
  return exit_code_;
}

std::string Process::output() const {
  if (captured_ < 0) {
    std::ifstream file(output_file_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string text(static_cast<std::size_t>(::lseek(captured_, 0, SEEK_END)), '\0');
  const ssize_t size = ::pread(captured_, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

Finished run(std::vector<std::string> arguments, ProcessOptions options, std::chrono::milliseconds deadline) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  Process process(std::move(arguments), std::move(options));
  const auto exit_code = process.wait(deadline);
  if (!exit_code) throw std::runtime_error(name + " did not end in time; it wrote: " + process.output());
  return {*exit_code, process.output()};
}

}  // namespace outbox::test
