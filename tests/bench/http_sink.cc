// A webhook receiver that costs as little as one can: reads each request and answers 204, one thread for all
// connections. Usage: http_sink PORT
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view answer = "HTTP/1.1 204 No Content\r\n\r\n";

struct Connection {
  std::string input;
};

/// The length of the first whole request in `text`; 0: it is not there yet.
std::size_t request_length(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos) return 0;
  std::size_t body = 0;
  for (std::size_t at = text.find("\r\n") + 2; at < end; at = text.find("\r\n", at) + 2) {
    constexpr std::string_view name = "content-length:";
    if (::strncasecmp(text.data() + at, name.data(), name.size()) == 0)
      body = std::strtoull(text.data() + at + name.size(), nullptr, 10);
  }
  const std::size_t length = end + 4 + body;
  return text.size() < length ? 0 : length;
}

/// False: the connection is over.
bool serve(int socket, Connection& connection) {
  std::array<char, 65536> block;
  const ssize_t size = ::recv(socket, block.data(), block.size(), MSG_DONTWAIT);
  if (size <= 0) return false;
  connection.input.append(block.data(), static_cast<std::size_t>(size));
  std::size_t done = 0;
  while (const std::size_t length = request_length(std::string_view(connection.input).substr(done))) {
    if (::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
    done += length;
  }
  connection.input.erase(0, done);
  return true;
}

void watch(int epoll, int socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

int listen_on(int port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1024) != 0) {
    std::perror("http_sink");
    std::exit(1);
  }
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: http_sink PORT\n");
    return 2;
  }
  const int listener = listen_on(std::atoi(argv[1]));
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  std::vector<Connection> connections(65536);  // by descriptor
  for (;;) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int socket = events[static_cast<std::size_t>(i)].data.fd;
      if (socket == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (accepted >= 0) watch(epoll, accepted);
        continue;
      }
      Connection& connection = connections.at(static_cast<std::size_t>(socket));
      if (serve(socket, connection)) continue;
      connection.input.clear();
      ::close(socket);
    }
  }
}
