#include "tests/support/fault_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tests/support/socket.h"

namespace outbox::test {
namespace {

constexpr std::size_t queued_max = 1 << 20;

void close_with_reset(int& socket) {
  if (socket < 0) return;
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
  socket = -1;
}

}  // namespace

FaultProxy::FaultProxy(int server_port, std::uint64_t seed, int port)
    : server_port_(server_port), port_(port), random_(seed) {
  listener_ = listen_at(port_);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread_ = std::thread([this] { forward(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed();
  thread_.join();
  for (Connection& connection : connections_) drop(connection);
  ::close(listener_);
  ::close(wake_);
}

void FaultProxy::changed() {
  ::eventfd_write(wake_, 1);
}

void FaultProxy::delay(std::chrono::milliseconds time, std::chrono::milliseconds jitter) {
  const std::lock_guard lock(mutex_);
  delay_ = time;
  jitter_ = jitter;
  changed();
}

void FaultProxy::drip(std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  drip_ = bytes_max;
  changed();
}

void FaultProxy::swallow_answers(bool on) {
  const std::lock_guard lock(mutex_);
  swallow_ = on;
  changed();
}

void FaultProxy::half_open(bool on) {
  const std::lock_guard lock(mutex_);
  half_open_ = on;
  changed();
}

void FaultProxy::cut() {
  const std::lock_guard lock(mutex_);
  for (Connection& connection : connections_) drop(connection);
  changed();
}

void FaultProxy::cut_after_answers(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  answers_left_ = bytes;
  changed();
}

void FaultProxy::refuse(bool on) {
  const std::lock_guard lock(mutex_);
  refuse_ = on;
  changed();
}

void FaultProxy::heal() {
  const std::lock_guard lock(mutex_);
  delay_ = jitter_ = {};
  drip_ = 0;
  swallow_ = half_open_ = refuse_ = false;
  answers_left_.reset();
  changed();
}

int FaultProxy::connections() {
  const std::lock_guard lock(mutex_);
  const auto is_open = [](const Connection& connection) {
    return !connection.broken && !connection.draining;
  };
  return static_cast<int>(std::ranges::count_if(connections_, is_open));
}

std::uint64_t FaultProxy::accepted() {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

std::uint64_t FaultProxy::request_bytes() {
  const std::lock_guard lock(mutex_);
  return request_bytes_;
}

std::uint64_t FaultProxy::answer_bytes() {
  const std::lock_guard lock(mutex_);
  return answer_bytes_;
}

void FaultProxy::forward() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<pollfd> sockets = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<std::pair<Connection*, bool>> owners;
    const auto now = Clock::now();
    const auto watch = [&](Connection& connection, bool is_client) {
      const Flow& out = is_client ? connection.answer : connection.request;
      const Flow& in = is_client ? connection.request : connection.answer;
      short events = 0;
      if (!half_open_ && !in.ended && in.queued < queued_max) events |= POLLIN;
      if (!half_open_ && !out.chunks.empty() && std::max(out.chunks.front().due, out.next_piece) <= now)
        events |= POLLOUT;
      if (connection.draining) events = is_client ? POLLIN : 0;
      const int socket = is_client ? connection.client : connection.server;
      // Without events a socket is left out altogether: poll() would report its hang-up again and again.
      sockets.push_back({events ? socket : -1, events, 0});
      owners.emplace_back(&connection, is_client);
    };
    for (Connection& connection : connections_) {
      watch(connection, true);
      watch(connection, false);
    }
    const int timeout = wait_time();
    lock.unlock();
    ::poll(sockets.data(), sockets.size(), timeout);
    lock.lock();

    eventfd_t ignored;
    ::eventfd_read(wake_, &ignored);
    if (sockets[1].revents & POLLIN) accept_one();
    for (std::size_t i = 0; i < owners.size(); ++i) {
      const auto [connection, is_client] = owners[i];
      const short events = sockets[i + 2].revents;
      if (!connection->broken && (events & (POLLIN | POLLHUP | POLLERR))) receive(*connection, is_client);
    }
    for (Connection& connection : connections_) {
      if (!connection.broken && !connection.draining) pass_on(connection, true);
      if (!connection.broken && !connection.draining) pass_on(connection, false);
    }
    connections_.remove_if([](const Connection& connection) { return connection.broken; });
  }
}

void FaultProxy::accept_one() {
  Connection connection;
  connection.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection.client < 0) return;
  ++accepted_;
  connection.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  const bool connected = !refuse_ && ::connect(connection.server, reinterpret_cast<const sockaddr*>(&address),
                                               sizeof address) == 0;
  if (!connected) return drop(connection);
  const int on = 1;
  for (int socket : {connection.client, connection.server}) {
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  connections_.push_back(std::move(connection));
}

int FaultProxy::wait_time() const {
  if (half_open_) return -1;
  const auto now = Clock::now();
  int time = -1;
  for (const Connection& connection : connections_)
    for (const Flow* flow : {&connection.request, &connection.answer}) {
      if (flow->chunks.empty()) continue;
      const auto due = std::max(flow->chunks.front().due, flow->next_piece);
      if (due <= now) continue;  // waits for the socket, which poll() watches
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - now).count();
      time = time < 0 ? static_cast<int>(left) : std::min(time, static_cast<int>(left));
    }
  return time;
}

void FaultProxy::receive(Connection& connection, bool from_client) {
  if (half_open_) return;
  Flow& flow = from_client ? connection.request : connection.answer;
  char data[16384];
  const ssize_t size =
      ::recv(from_client ? connection.client : connection.server, data, sizeof data, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (connection.draining) {
    if (size <= 0) drop(connection);
    return;
  }
  if (size < 0) return drop(connection);
  if (size == 0) {
    flow.ended = true;
    return;
  }
  if (!from_client) {
    answer_bytes_ += static_cast<std::uint64_t>(size);
    if (swallow_) return;
  }
  auto due = Clock::now() + delay_;
  if (jitter_.count() > 0)
    due += std::chrono::milliseconds(random_() % static_cast<std::uint64_t>(jitter_.count()));
  if (!flow.chunks.empty()) due = std::max(due, flow.chunks.back().due);
  flow.chunks.push_back({due, std::string(data, static_cast<std::size_t>(size))});
  flow.queued += static_cast<std::size_t>(size);
}

std::size_t FaultProxy::piece_size(const Flow& flow, bool to_server) {
  std::size_t size = flow.chunks.front().data.size();
  if (drip_ > 0) size = std::min(size, 1 + random_() % drip_);
  if (!to_server && answers_left_) size = std::min(size, *answers_left_);
  return size;
}

void FaultProxy::pass_on(Connection& connection, bool to_server) {
  Flow& flow = to_server ? connection.request : connection.answer;
  const int socket = to_server ? connection.server : connection.client;
  const auto now = Clock::now();
  while (!half_open_ && !flow.chunks.empty() && std::max(flow.chunks.front().due, flow.next_piece) <= now) {
    if (!to_server && swallow_) {
      flow.chunks.clear();
      flow.queued = 0;
      break;
    }
    if (!to_server && answers_left_ == 0U) return end_for_client(connection);
    std::string& data = flow.chunks.front().data;
    const ssize_t size =
        ::send(socket, data.data(), piece_size(flow, to_server), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return drop(connection);
    data.erase(0, static_cast<std::size_t>(size));
    flow.queued -= static_cast<std::size_t>(size);
    if (data.empty()) flow.chunks.pop_front();
    if (drip_ > 0) flow.next_piece = now + std::chrono::milliseconds(1);
    if (to_server) request_bytes_ += static_cast<std::uint64_t>(size);
    if (!to_server && answers_left_) {
      *answers_left_ -= static_cast<std::size_t>(size);
      if (*answers_left_ == 0) return end_for_client(connection);
    }
  }
  if (flow.ended && flow.chunks.empty() && !flow.passed_end && !half_open_) {
    flow.passed_end = true;
    ::shutdown(socket, SHUT_WR);
    if (connection.request.passed_end && connection.answer.passed_end) drop(connection);
  }
}

void FaultProxy::end_for_client(Connection& connection) {
  // A reset would throw away what the client has not read yet: an orderly end lets it read exactly the bytes
  // allowed.
  answers_left_.reset();
  connection.draining = true;
  close_with_reset(connection.server);
  ::shutdown(connection.client, SHUT_WR);
}

void FaultProxy::drop(Connection& connection) {
  close_with_reset(connection.client);
  close_with_reset(connection.server);
  connection.broken = true;
}

}  // namespace outbox::test
