// A client of the tests that can misbehave: bytes in, bytes out, every wait with a deadline.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/eventually.h"

namespace outbox::test {

struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;

  /// The header's value; empty when it is not there.
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class HttpClient {
 public:
  explicit HttpClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (!ready(POLLOUT, patience)) throw std::runtime_error("no connection to the server");
  }
  HttpClient(HttpClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  ~HttpClient() {
    if (socket_ >= 0) ::close(socket_);
  }

  /// Bytes sent now; less than asked when the server does not take them, -1 when it has closed.
  ssize_t send_some(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  /// Whether the server takes more, or has closed, within `time`.
  bool writable_within(std::chrono::milliseconds time) { return ready(POLLOUT, time); }

  /// Whether the server says something, or has closed, within `time`.
  bool readable_within(std::chrono::milliseconds time = patience) { return ready(POLLIN, time); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!ready(POLLOUT, patience)) throw std::runtime_error("the server takes nothing");
      const ssize_t count = send_some(bytes);
      if (count < 0) throw std::runtime_error("the server has closed the connection");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void end_input() { ::shutdown(socket_, SHUT_WR); }

  /// The next answer. `has_body`: false for one to HEAD.
  HttpAnswer answer(bool has_body = true) {
    HttpAnswer answer;
    const auto head_end = fill_until([this] { return received_.find("\r\n\r\n"); });
    answer.head = received_.substr(0, head_end + 2);
    received_.erase(0, head_end + 4);
    answer.status = std::stoi(answer.head.substr(answer.head.find(' ') + 1));
    const auto length = has_body ? std::stoul(answer.header("Content-Length")) : 0;
    fill_until([&] { return received_.size() >= length ? 0 : std::string::npos; });
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  HttpAnswer ask(std::string_view request, bool has_body = true) {
    send(request);
    return answer(has_body);
  }

  HttpAnswer get(const std::string& path, const std::string& headers = "") {
    return ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  }

  /// Whether the server closes within `time`; what it sends before is kept.
  bool closes_within(std::chrono::milliseconds time = patience) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
      if (ready(POLLIN, std::chrono::milliseconds(20)) && !receive()) return true;
    return false;
  }

  /// Whether the connection was torn down, so that an answer on its way could have been lost.
  [[nodiscard]] bool was_reset() const { return reset_; }

  [[nodiscard]] const std::string& received() const { return received_; }

 private:
  bool ready(short events, std::chrono::milliseconds time) const {
    pollfd socket{socket_, events, 0};
    return ::poll(&socket, 1, static_cast<int>(time.count())) == 1;
  }

  bool receive() {
    std::array<char, 16384> bytes;
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    reset_ = reset_ || count < 0;
    if (count <= 0) return false;
    received_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }

  template <class Found>
  std::size_t fill_until(Found found) {
    for (;;) {
      if (const std::size_t at = found(); at != std::string::npos) return at;
      if (!ready(POLLIN, patience)) throw std::runtime_error("no answer in time; so far: " + received_);
      if (!receive()) throw std::runtime_error("closed before the answer was complete: " + received_);
    }
  }

  int socket_;
  std::string received_;
  bool reset_ = false;
};

}  // namespace outbox::test
