#include "adapters/common/owner.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

using namespace outbox;

namespace {

/// A child process that tells its owner string and then waits to be killed.
class Child {
 public:
  Child() {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const std::string owner = this_owner();
      if (write(ends[1], owner.data(), owner.size()) < 0) _exit(1);
      close(ends[1]);
      for (;;) pause();
    }
    close(ends[1]);
    char buffer[512];
    for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
      owner_.append(buffer, static_cast<std::size_t>(got));
    close(ends[0]);
  }
  ~Child() {
    if (pid_ > 0) {
      kill();
      reap();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() const {
    ::kill(pid_, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);  // dead, and not yet reaped
  }
  void reap() {
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] const std::string& owner() const { return owner_; }

 private:
  pid_t pid_ = -1;
  std::string owner_;
};

std::string with_part(const std::string& owner, int index, const std::string& value) {
  std::size_t from = 0;
  for (int i = 0; i < index; ++i) from = owner.find('/', from) + 1;
  const auto to = owner.find('/', from);
  return owner.substr(0, from) + value + (to == std::string::npos ? "" : owner.substr(to));
}

}  // namespace

TEST_CASE("an owner has five parts, none of them empty") {
  const std::string owner = this_owner();
  CHECK(std::ranges::count(owner, '/') == 4);
  CHECK(owner.find("//") == std::string::npos);
  CHECK(owner.back() != '/');
}

TEST_CASE("a living owner is not gone") {
  CHECK_FALSE(provably_gone(this_owner()));
  const Child child;
  CHECK_FALSE(provably_gone(child.owner()));
}

TEST_CASE("a killed owner is gone, before and after it is reaped") {
  Child child;
  child.kill();
  CHECK(provably_gone(child.owner()));
  child.reap();
  CHECK(provably_gone(child.owner()));
}

TEST_CASE("an owner whose pid went to a younger process is gone") {
  CHECK(provably_gone(with_part(this_owner(), 4, "1")));
}

TEST_CASE("an owner elsewhere is never provably gone") {
  Child child;
  child.kill();
  child.reap();
  REQUIRE(provably_gone(child.owner()));
  CHECK_FALSE(provably_gone(with_part(child.owner(), 0, "other-host")));
  CHECK_FALSE(provably_gone(with_part(child.owner(), 1, "00000000-0000-0000-0000-000000000000")));
  CHECK_FALSE(provably_gone(with_part(child.owner(), 2, "1")));
}

TEST_CASE("an owner whose process /proc hides is not gone") {
  const std::string owner = this_owner();
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // As ProtectProc=invisible or hidepid=2 do: a user sees no processes but its own.
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") != 0 || setgid(65534) != 0 || setuid(65534) != 0)
      _exit(2);
    if (access(("/proc/" + std::to_string(getppid())).c_str(), F_OK) == 0) _exit(2);
    _exit(provably_gone(owner) ? 1 : 0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2)
    MESSAGE("no right to hide processes here: not tested");
  else
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("an owner that cannot be read is never provably gone") {
  CHECK_FALSE(provably_gone(""));
  CHECK_FALSE(provably_gone("relay-7"));
  CHECK_FALSE(provably_gone(with_part(this_owner(), 3, "x")));
  CHECK_FALSE(provably_gone(with_part(this_owner(), 3, "-1")));
  CHECK_FALSE(provably_gone(with_part(this_owner(), 4, "")));
  CHECK_FALSE(provably_gone(this_owner() + "/more"));
}
