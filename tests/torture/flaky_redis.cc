#include "tests/torture/flaky_redis.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>

#include "tests/support/socket.h"

namespace outbox::test {
namespace {

/// Takes one complete command off the front; nothing: more has to come.
/// https://redis.io/docs/latest/develop/reference/protocol-spec/: an array of bulk strings.
std::optional<std::vector<std::string>> take_command(std::string& input) {
  std::size_t at = 0;
  const auto take_number = [&](char sign) -> std::optional<std::size_t> {
    const auto end = input.find("\r\n", at);
    if (end == input.npos || input[at] != sign) return std::nullopt;
    std::size_t number = 0;
    std::from_chars(input.data() + at + 1, input.data() + end, number);
    at = end + 2;
    return number;
  };
  if (input.empty()) return std::nullopt;
  const auto count = take_number('*');
  if (!count) return std::nullopt;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < *count; ++i) {
    if (at >= input.size()) return std::nullopt;
    const auto size = take_number('$');
    if (!size || input.size() < at + *size + 2) return std::nullopt;
    words.push_back(input.substr(at, *size));
    at += *size + 2;
  }
  input.erase(0, at);
  return words;
}

/// XADD key [options] * field value ...
Received entry_of(const std::vector<std::string>& command) {
  Received entry;
  entry.topic = command.at(1);
  const auto star = std::ranges::find(command, "*");
  for (auto word = star; word != command.end() && command.end() - word > 2; word += 2) {
    const std::string &name = *(word + 1), &value = *(word + 2);
    if (name == "data")
      entry.payload = value;
    else if (name.starts_with("ce_"))
      entry.attributes[name.substr(3)] = value;
  }
  return entry;
}

}  // namespace

FlakyRedis::Mood FlakyRedis::mood_of(const std::string& id) {
  unsigned number = 0;
  for (const char c : id) number = number * 31 + static_cast<unsigned char>(c);
  switch (number % 1000) {
    case 0:
    case 1:
    case 2:
      return Mood::refusing;
    case 3:
      return Mood::murderous;
    default:
      return number % 1000 < 40 ? Mood::moody : Mood::friendly;
  }
}

bool FlakyRedis::is_poison(const std::string& id) {
  return mood_of(id) == Mood::refusing || mood_of(id) == Mood::murderous;
}

FlakyRedis::FlakyRedis(unsigned seed) : random_(seed) {
  listener_ = listen_at(port_);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread_ = std::thread([this] { serve(); });
}

FlakyRedis::~FlakyRedis() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  for (const Connection& connection : connections_) ::close(connection.socket);
  ::close(listener_);
  ::close(wake_);
}

void FlakyRedis::copy_to(std::vector<Received>& arrived) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = arrived.size(); i < accepted_.size(); ++i) arrived.push_back(accepted_[i]);
}

std::size_t FlakyRedis::connections() {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

std::size_t FlakyRedis::hang_ups() {
  const std::lock_guard lock(mutex_);
  return hang_ups_;
}

void FlakyRedis::serve() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<pollfd> sockets = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Connection& connection : connections_) sockets.push_back({connection.socket, POLLIN, 0});
    lock.unlock();
    ::poll(sockets.data(), sockets.size(), -1);
    lock.lock();
    std::size_t at = 2;
    for (Connection& connection : connections_)
      if (sockets[at++].revents != 0) receive(connection);
    connections_.remove_if([](const Connection& connection) {
      if (connection.is_over) ::close(connection.socket);
      return connection.is_over;
    });
    if (sockets[1].revents != 0) accept_one();
  }
}

void FlakyRedis::accept_one() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket >= 0) connections_.push_back({socket, {}, false});
}

void FlakyRedis::receive(Connection& connection) {
  char data[16384];
  const ssize_t size = ::recv(connection.socket, data, sizeof data, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    connection.is_over = true;
    return;
  }
  connection.input.append(data, static_cast<std::size_t>(size));
  std::string answers;
  while (!connection.is_over) {
    const auto command = take_command(connection.input);
    if (!command) break;
    if (const auto text = answer(*command))
      answers += *text;
    else
      connection.is_over = true;  // what came before it has been answered, what comes after it is not taken
  }
  (void)::send(connection.socket, answers.data(), answers.size(), MSG_NOSIGNAL);
}

std::optional<std::string> FlakyRedis::answer(const std::vector<std::string>& command) {
  return command.at(0) == "XADD" ? add(command) : "+OK\r\n";
}

std::optional<std::string> FlakyRedis::add(const std::vector<std::string>& command) {
  Received entry = entry_of(command);
  const std::string id = entry.id();
  switch (mood_of(id)) {
    case Mood::friendly:
      // Now and then the memory is full, which is nobody's fault.
      if (random_() % 2000 == 0) return "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
      break;
    case Mood::moody:
      if (++attempts_[id] <= 1 + static_cast<int>(id.back() % 3)) return "-ERR not now\r\n";
      break;
    case Mood::refusing:
      return "-ERR Elements are too large to be stored\r\n";
    case Mood::murderous:
      ++hang_ups_;
      return std::nullopt;
  }
  accepted_.push_back(std::move(entry));
  const std::string name = std::to_string(accepted_.size()) + "-0";
  return "$" + std::to_string(name.size()) + "\r\n" + name + "\r\n";
}

}  // namespace outbox::test
