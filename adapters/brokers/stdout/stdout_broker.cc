#include "adapters/brokers/stdout/stdout_broker.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

#include "adapters/brokers/brokers.h"

namespace outbox {
namespace {

bool is_regular_file(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

StdoutBroker::StdoutBroker(int descriptor, const BrokerTarget& target)
    : descriptor_(descriptor),
      is_file_(is_regular_file(descriptor)),
      lines_(target.source, target.attributes) {
  ignore_write_signals();
}

void StdoutBroker::connect() {
  pollfd output{descriptor_, POLLOUT, 0};
  ::poll(&output, 1, 0);
  is_up_ = (output.revents & (POLLERR | POLLNVAL)) == 0;
  if (is_up_)
    session_ = Session{Session::State::up, {}};
  else
    session_ = Session{Session::State::down, "stdout: nobody reads standard output any more"};
}

void StdoutBroker::submit(std::span<const Submission> messages) {
  lines_.add(messages);
  if (!is_up_) lines_.fail(Verdict::unavailable, "stdout: not open");
}

void StdoutBroker::poll(Duration timeout, Answers& answers) {
  // A pipe takes little at a time: as long as it takes more at once, more is written before the answers go
  // back.
  while (is_up_ && !lines_.text().empty() && wait_writable({})) write_some();
  const auto has_answers = [&] {
    const bool some = lines_.deliver(answers);
    if (session_) answers.session = std::exchange(session_, std::nullopt);
    return some || answers.session;
  };
  if (has_answers()) return;
  if (lines_.text().empty()) {
    wakeup_.wait(timeout);
  } else if (wait_writable(timeout)) {
    write_some();
    has_answers();
  }
}

/// False: the time is over, or wake() was called.
bool StdoutBroker::wait_writable(Duration timeout) {
  pollfd sockets[] = {{descriptor_, POLLOUT, 0}, {wakeup_.descriptor(), POLLIN, 0}};
  const bool may_wait = timeout > Duration::zero();
  if (::poll(sockets, may_wait ? 2 : 1, poll_milliseconds(timeout)) <= 0) return false;
  if (may_wait && sockets[1].revents) wakeup_.clear();
  return sockets[0].revents != 0;
}

void StdoutBroker::write_some() {
  // poll() promises room for PIPE_BUF bytes in a pipe: writing more could block, and O_NONBLOCK would change
  // the terminal for the shell as well.
  const std::string_view text = lines_.text().substr(0, is_file_ ? std::string_view::npos : PIPE_BUF);
  if (is_torn_) {
    const ssize_t size = ::write(descriptor_, "\n", 1);
    if (size < 0 && errno != EAGAIN && errno != EINTR) fail(std::strerror(errno));
    is_torn_ = size != 1;
    if (is_torn_) return;
  }
  const ssize_t size = ::write(descriptor_, text.data(), text.size());
  if (size >= 0) return lines_.written(static_cast<std::size_t>(size));
  if (errno == EAGAIN || errno == EINTR) return;
  fail(errno == EPIPE ? "nobody reads standard output any more" : std::strerror(errno));
}

void StdoutBroker::fail(const std::string& what) {
  const std::string reason = "stdout: " + what;
  is_torn_ |= lines_.fail(Verdict::unavailable, reason);
  is_up_ = false;
  session_ = Session{Session::State::down, reason};
}

BrokerAdapter stdout_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    if (target.url != "stdout:")
      return Error{
          Fault::misconfigured,
          "stdout: the URL is just stdout: and takes nothing after it; to write a file use file:path"};
    return std::unique_ptr<Broker>(std::make_unique<StdoutBroker>(STDOUT_FILENO, target));
  };
  return {.name = "stdout", .schemes = {"stdout"}, .settings = {}, .open = open};
}

}  // namespace outbox
