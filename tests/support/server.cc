#include "tests/support/server.h"

#include <signal.h>

#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string launcher(const std::string& name) {
  return OUTBOX_SOURCE_DIR "/scripts/servers/" + name;
}

}  // namespace

Server::Server(std::string name) : name_(std::move(name)), ports_{free_port(), free_port(), free_port()} {}

std::vector<std::string> Server::command(const std::vector<std::string>& more) const {
  std::string ports = std::to_string(ports_[0]);
  for (std::size_t i = 1; i < ports_.size(); ++i) ports += "," + std::to_string(ports_[i]);
  std::vector<std::string> words = {launcher(name_), directory_.path().string(), ports};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void Server::start() {
  if (process_ && process_->running()) return;
  start_until([this] { return is_ready(); }, more_);
}

void Server::start_until(const std::function<bool()>& is_ready, const std::vector<std::string>& more) {
  process_ = std::make_unique<Process>(command(more), ProcessOptions{environment_, {}, {}, {}});
  if (!eventually([&] { return !process_->running() || is_ready(); }, 2 * patience) || !process_->running())
    throw std::runtime_error(name_ + " did not start:\n" + log());
}

/// The launcher's first line is "URL WORDS"; the words come again when the server is ready.
bool Server::is_ready() {
  const std::string text = log();
  const auto end = text.find('\n'), blank = text.find(' ');
  if (end == text.npos || blank > end) return false;
  url_ = text.substr(0, blank);
  return text.find(text.substr(blank + 1, end - blank - 1), end) != text.npos;
}

void Server::freeze() {
  process_->freeze();
}
void Server::thaw() {
  process_->signal(SIGCONT);
}

std::string server_missing(const std::string& name) {
  const Finished asked = run({launcher(name), "--check"});
  return asked.exit_code == 0 ? "" : asked.output;
}

}  // namespace outbox::test
