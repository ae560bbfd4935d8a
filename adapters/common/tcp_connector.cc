#include "adapters/common/tcp_connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
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

bool is_writable(int descriptor) {
  pollfd socket{descriptor, POLLOUT, 0};
  return ::poll(&socket, 1, 0) > 0;
}

}  // namespace

struct TcpConnector::Address {
  std::string host, endpoint;
  SocketAddress socket;
};

TcpConnector::TcpConnector(const std::vector<Url::Host>& hosts, int default_port)
    : hosts_(hosts), default_port_(default_port) {}

TcpConnector::~TcpConnector() {
  close();
}

void TcpConnector::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void TcpConnector::begin() {
  close();
  is_resolved_ = false;
}

int TcpConnector::take() {
  set_option(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor_, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor_, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(descriptor_, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(descriptor_, IPPROTO_TCP, TCP_KEEPCNT, 3);
  return std::exchange(descriptor_, -1);
}

TcpConnector::Progress TcpConnector::advance() {
  if (!is_resolved_ && !resolve()) return Progress::failed;
  for (;;) {
    if (descriptor_ < 0 && !try_next_address()) return Progress::failed;
    if (descriptor_ < 0) continue;
    if (!is_writable(descriptor_)) return Progress::waiting;
    if (finish()) return Progress::connected;
  }
}

/// May block while a name is looked up: poll() is where an adapter may.
bool TcpConnector::resolve() {
  addresses_.clear();
  next_address_ = 0;
  for (const Url::Host& host : hosts_) {
    endpoint_ = endpoint_of(host, default_port_);
    auto found = look_up(host.name.c_str(), host.port.value_or(default_port_));
    if (!found) {
      error_ = "the host's name cannot be resolved: " + found.error().text;
      continue;
    }
    for (const SocketAddress& address : *found) addresses_.push_back({host.name, endpoint_, address});
  }
  if (addresses_.empty()) return false;
  // A host that takes connections and does no more, or a replica, must not be the first one for ever.
  const auto first = static_cast<std::ptrdiff_t>(attempts_++ % addresses_.size());
  std::rotate(addresses_.begin(), addresses_.begin() + first, addresses_.end());
  is_resolved_ = true;
  return true;
}

/// False: there is none left; the error is the last one's.
bool TcpConnector::try_next_address() {
  if (next_address_ == addresses_.size()) return false;
  const Address& address = addresses_[next_address_++];
  host_ = address.host;
  endpoint_ = address.endpoint;
  descriptor_ = ::socket(address.socket.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ >= 0 &&
      (::connect(descriptor_, address.socket.get(), address.socket.size) == 0 || errno == EINPROGRESS))
    return true;
  error_ = std::strerror(errno);
  close();
  return true;
}

bool TcpConnector::finish() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return true;
  error_ = std::strerror(error);
  close();
  return false;
}

}  // namespace outbox
