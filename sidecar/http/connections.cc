#include "http/connections.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"

namespace outbox {
namespace {

// After the answer a client may still be sending. Closing at once would reset the connection and could take
// the answer away from it; reading on without a bound would let it keep us busy.
constexpr std::size_t discarded_max = 64 * 1024;

constexpr auto accept_pause = std::chrono::milliseconds(100);

constexpr std::string_view unreadable =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\r\n"
    "the request is not HTTP\n";
constexpr std::string_view head_too_large =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 30\r\n\r\nthe request head is too large\n";

constexpr std::string_view no_room =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: text/plain\r\n"
    "Content-Length: 53\r\n\r\ntoo many large answers wait for clients to read them\n";
constexpr std::size_t small_answer = 16 * 1024;

constexpr std::string_view go_ahead = "HTTP/1.1 100 Continue\r\n\r\n";

/// While an answer is being made only the end of the connection counts, which poll() reports unasked.
short awaited(bool is_waiting, bool is_writing) {
  return is_waiting ? short{0} : is_writing ? short{POLLOUT} : short{POLLIN};
}

bool again() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Connections::Connections(Listener listener, const HttpLimits& limits, std::shared_ptr<Mailbox> mailbox,
                         Answer answer)
    : listener_(std::move(listener)),
      limits_(limits),
      answer_(std::move(answer)),
      mailbox_(std::move(mailbox)) {
  assert(limits_.connections_max > 0);
  thread_.start(
      "http", [this] { run(); }, [this] { mailbox_->ring(); });
}

void Connections::run() {
  now_ = accept_again_ = now();
  while (!thread_.stopping()) {
    wait();
    std::erase_if(connections_,
                  [](const Connection& connection) { return connection.phase == Phase::closed; });
  }
  for (Connection& connection : connections_) close(connection);
  connections_.clear();
}

/// One turn: waits for something to do, gives every connection at most one request's worth of it, then lets
/// new ones in.
void Connections::wait() {
  std::vector<pollfd> sockets = {{mailbox_->descriptor(), POLLIN, 0},
                                 {now_ < accept_again_ ? -1 : listener_.socket(), POLLIN, 0}};
  for (const Connection& connection : connections_)
    sockets.push_back({connection.socket,
                       awaited(connection.phase == Phase::waiting, connection.phase == Phase::writing), 0});
  ::poll(sockets.data(), sockets.size(), time_left());
  now_ = now();

  auto events = sockets.begin() + 2;
  for (Connection& connection : connections_) {
    if ((events++)->revents != 0 || has_request(connection)) advance(connection);
    check_deadline(connection);
  }
  if (sockets[0].revents != 0) give_late_answers();
  if (sockets[1].revents != 0) accept_all();
}

/// Milliseconds until something is due; -1: nothing is.
int Connections::time_left() const {
  auto next = now_ < accept_again_ ? accept_again_ : Instant::max();
  for (const Connection& connection : connections_) {
    if (has_request(connection)) return 0;
    next = std::min(next, connection.deadline);
  }
  if (next == Instant::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Connections::accept_all() {
  // Bounded, so that a storm of connections cannot keep those that are here from being served.
  for (std::size_t count = 0; count < limits_.connections_max && accept_one(); ++count) {
  }
}

bool Connections::accept_one() {
  SocketAddress peer{{}, sizeof peer.bytes};
  const int socket = ::accept4(listener_.socket(), reinterpret_cast<sockaddr*>(&peer.bytes), &peer.size,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) {
    if (errno == ECONNABORTED || errno == EINTR) return true;
    // Out of descriptors or memory. An old connection makes room, as when all places are taken; if there is
    // none, the waiting one stays readable and poll would return at once, again and again.
    if (!again() && !close_oldest()) accept_again_ = now_ + accept_pause;
    return false;
  }
  const auto is_open = [](const Connection& connection) { return connection.phase != Phase::closed; };
  if (std::ranges::count_if(connections_, is_open) >= static_cast<std::ptrdiff_t>(limits_.connections_max))
    close_oldest();
  Connection connection;
  connection.socket = socket;
  connection.peer = peer.host();
  connection.since = now_;
  connection.deadline = now_ + limits_.head_time;
  connections_.push_back(std::move(connection));
  return true;
}

/// A client that has just come is likelier to be a probe than the one that has been silent for longest.
bool Connections::close_oldest() {
  Connection* oldest = nullptr;
  for (Connection& connection : connections_)
    if (connection.phase != Phase::closed && (!oldest || connection.since < oldest->since))
      oldest = &connection;
  if (oldest) close(*oldest);
  return oldest != nullptr;
}

void Connections::advance(Connection& connection) {
  switch (connection.phase) {
    case Phase::reading:
      read(connection);
      break;
    case Phase::waiting:
      close(connection);  // nothing but the end of the connection is awaited
      break;
    case Phase::writing:
      write(connection);
      break;
    case Phase::lingering:
      discard(connection);
      break;
    case Phase::closed:
      break;
  }
}

void Connections::read(Connection& connection) {
  const bool was_empty = connection.input.empty();
  std::array<char, 4096> bytes;
  const std::size_t input_max = std::max(limits_.head_max, connection.request_length);
  const std::size_t room = std::min(bytes.size(), input_max - std::min(input_max, connection.input.size()));
  if (room > 0 && !connection.input_ended) {
    const ssize_t count = ::recv(connection.socket, bytes.data(), room, 0);
    if (count < 0 && !again()) return close(connection);
    if (count == 0) connection.input_ended = true;
    if (count > 0) connection.input.append(bytes.data(), static_cast<std::size_t>(count));
  }
  // From the first byte on, the whole request has one deadline: dripping does not extend it.
  if (was_empty && !connection.input.empty()) connection.deadline = now_ + limits_.head_time;
  answer_next(connection);
}

bool Connections::has_request(const Connection& connection) {
  if (connection.phase != Phase::reading) return false;
  if (connection.request_length > 0) return connection.input.size() >= connection.request_length;
  return head_length(connection.input).has_value();
}

void Connections::answer_next(Connection& connection) {
  const auto length = head_length(connection.input);
  if (!length) {
    if (connection.input.size() >= limits_.head_max)
      return send(connection, {std::string(head_too_large)}, true);
    if (connection.input_ended) close(connection);
    return;
  }
  const auto head = read_head(std::string_view(connection.input).substr(0, *length));
  if (!head) return send(connection, {std::string(unreadable)}, true);
  const bool reads_body = head->is_post() && head->content_length <= limits_.body_max;
  const std::size_t body_length = reads_body ? head->content_length : 0;
  const bool is_new = connection.request_length == 0;
  connection.request_length = *length + body_length;
  if (connection.input.size() < connection.request_length) {
    if (connection.input_ended) return close(connection);
    if (is_new && head->expects_continue)
      (void)::send(connection.socket, go_ahead.data(), go_ahead.size(), MSG_NOSIGNAL);
    return;
  }
  ++connection.requests;
  answer(connection, *head, std::string_view(connection.input).substr(*length, body_length));
}

void Connections::answer(Connection& connection, RequestHead head, std::string_view body) {
  head.close = head.close || connection.requests >= limits_.requests_max;
  const bool close = head.close;
  HttpOutcome outcome = answer_({head, body, connection.peer, ++tickets_});
  connection.input.erase(0, std::exchange(connection.request_length, 0));
  if (!outcome.later) return send(connection, {std::move(outcome.answer)}, close);
  connection.output = {std::move(outcome.answer)};
  connection.ticket = tickets_;
  connection.close_after = close;
  connection.phase = Phase::waiting;
  connection.deadline = now_ + limits_.work_time;
}

void Connections::give_late_answers() {
  for (Mailbox::Late& late : mailbox_->take())
    for (Connection& connection : connections_)
      if (connection.phase == Phase::waiting && connection.ticket == late.ticket)
        send(connection, std::move(late.answer), connection.close_after);
}

void Connections::check_deadline(Connection& connection) {
  if (connection.phase == Phase::closed || now_ < connection.deadline) return;
  if (connection.phase == Phase::waiting) return send(connection, std::move(connection.output), true);
  close(connection);
}

/// What answers share is there once. A small one always fits, whoever else reads slowly: probes are small.
bool Connections::has_room(const AnswerBytes& output) const {
  if (output.own.size() <= small_answer) return true;
  std::size_t pending = 0;
  for (const Connection& connection : connections_)
    if (connection.phase == Phase::writing) pending += connection.output.own.size();
  return pending == 0 || pending + output.own.size() <= limits_.pending_max;
}

void Connections::send(Connection& connection, AnswerBytes output, bool close) {
  if (!has_room(output)) return send(connection, {std::string(no_room)}, true);
  connection.output = std::move(output);
  connection.written = 0;
  connection.close_after = close;
  connection.phase = Phase::writing;
  connection.deadline = now_ + limits_.answer_time;
  write(connection);
}

void Connections::write(Connection& connection) {
  const AnswerBytes& output = connection.output;
  while (connection.written < output.size()) {
    const bool is_own = connection.written < output.own.size();
    const std::string_view rest =
        is_own ? std::string_view(output.own).substr(connection.written)
               : std::string_view(*output.shared).substr(connection.written - output.own.size());
    const int more = is_own && output.shared ? MSG_MORE : 0;
    const ssize_t count = ::send(connection.socket, rest.data(), rest.size(), MSG_NOSIGNAL | more);
    if (count < 0) return again() ? void() : close(connection);
    connection.written += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) < rest.size()) return;
  }
  finish_answer(connection);
}

void Connections::finish_answer(Connection& connection) {
  connection.output = {};
  connection.since = now_;
  if (connection.close_after) {
    ::shutdown(connection.socket, SHUT_WR);
    std::string().swap(connection.input);
    connection.phase = Phase::lingering;
    connection.deadline = now_ + limits_.linger_time;
    return;
  }
  connection.phase = Phase::reading;
  connection.deadline = now_ + (connection.input.empty() ? limits_.idle_time : limits_.head_time);
}

void Connections::discard(Connection& connection) {
  std::array<char, 4096> bytes;
  const ssize_t count = ::recv(connection.socket, bytes.data(), bytes.size(), 0);
  if (count == 0 || (count < 0 && !again())) return close(connection);
  if (count > 0) connection.discarded += static_cast<std::size_t>(count);
  if (connection.discarded > discarded_max) close(connection);
}

void Connections::close(Connection& connection) {
  if (connection.phase == Phase::closed) return;
  ::close(connection.socket);
  connection.phase = Phase::closed;
}

}  // namespace outbox
