#include "adapters/common/tcp_connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/address.h"

namespace outbox {
namespace {

void set_option(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

Progress Addresses::next(const Address*& address, std::string& error) {
  if (!is_resolved_ && !resolve(error)) return Progress::waiting;
  if (next_ == all_.size()) return Progress::failed;
  address = &all_[next_++];
  endpoint_ = address->endpoint;
  return Progress::ready;
}

/// False: not yet.
bool Addresses::resolve(std::string& error) {
  if (!look_up_) {
    std::vector<LookUp::Question> questions;
    for (const Url::Host& host : hosts_) questions.push_back({host.name, host.port.value_or(default_port_)});
    look_up_.emplace(std::move(questions));
  }
  if (!look_up_->is_over()) {
    endpoint_ = endpoint_of(hosts_.front(), default_port_) + " (its name is being looked up)";
    return false;
  }
  all_.clear();
  next_ = 0;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    endpoint_ = endpoint_of(hosts_[i], default_port_);
    const LookUp::Answer& found = look_up_->answers()[i];
    if (!found) {
      error = "the host's name cannot be resolved: " + found.error().text;
      continue;
    }
    for (const SocketAddress& socket : *found)
      all_.push_back({hosts_[i].name, endpoint_, hosts_[i].port.value_or(default_port_), socket});
  }
  look_up_.reset();
  is_resolved_ = true;
  if (!all_.empty())
    std::ranges::rotate(all_, all_.begin() + static_cast<std::ptrdiff_t>(attempts_++ % all_.size()));
  return true;
}

void TcpConnector::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  is_looking_up_ = false;
}

void TcpConnector::begin() {
  close();
  addresses_.begin();
}

int TcpConnector::take() {
  set_option(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
  keep_alive(descriptor_);
  return std::exchange(descriptor_, -1);
}

Progress TcpConnector::advance() {
  for (;;) {
    if (descriptor_ < 0)
      if (const Progress progress = try_next_address(); progress != Progress::ready) return progress;
    if (descriptor_ < 0) continue;
    if (!is_ready(descriptor_, POLLOUT)) return Progress::waiting;
    std::string error = connect_error(descriptor_);
    if (error.empty()) return Progress::ready;
    error_ = std::move(error);
    close();
  }
}

short TcpConnector::events() const {
  return is_looking_up_ ? POLLIN : POLLOUT;
}

/// failed: there is none left; the error is the last one's.
Progress TcpConnector::try_next_address() {
  const Address* address = nullptr;
  const Progress progress = addresses_.next(address, error_);
  is_looking_up_ = progress == Progress::waiting;
  if (progress != Progress::ready) return progress;
  host_ = address->host;
  const SocketAddress& socket = address->socket;
  descriptor_ = ::socket(socket.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ >= 0 && (::connect(descriptor_, socket.get(), socket.size) == 0 || errno == EINPROGRESS))
    return Progress::ready;
  error_ = std::strerror(errno);
  close();
  return Progress::ready;
}

std::string connect_error(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "" : std::strerror(error);
}

bool is_ready(int descriptor, short events) {
  pollfd socket{descriptor, events, 0};
  return ::poll(&socket, 1, 0) > 0;
}

void keep_alive(int descriptor) {
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace outbox
