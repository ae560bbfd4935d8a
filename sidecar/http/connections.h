// The connections of the HTTP server: one thread, no blocking call but poll, and a bound for everything a
// client can use up. Made and ended by the server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/thread.h"
#include "http/listener.h"
#include "http/mailbox.h"
#include "http/request_head.h"

namespace outbox {

/// What a client may use. Tests shorten the times.
struct HttpLimits {
  std::size_t connections_max = 128;            ///< one more: the one that has waited longest is closed
  std::size_t head_max = 8192;                  ///< bytes of a request's head; more: 431
  std::size_t body_max = 64 * 1024;             ///< bytes of a POST's body; more are not read
  int requests_max = 1000;                      ///< per connection
  std::chrono::milliseconds head_time{5000};    ///< first byte to complete request, however they drip
  std::chrono::milliseconds idle_time{15000};   ///< between two requests
  std::chrono::milliseconds answer_time{5000};  ///< until the client has taken the whole answer
  std::chrono::milliseconds linger_time{1000};  ///< for the client to see an answer before the close
  std::chrono::milliseconds work_time{10000};   ///< for an answer that comes later; then 504
  std::chrono::milliseconds status_age{1000};   ///< of what /status, /metrics and /readyz tell, at the most
  std::size_t pending_max = 12 << 20;  ///< bytes that clients have not taken yet, all together; then 503
};

/// Views stay valid until the answer is given.
struct HttpRequest {
  RequestHead head;
  std::string_view body;  ///< of a POST that has one of at most body_max bytes
  std::string_view peer;  ///< the client's address
  std::uint64_t ticket = 0;
};

struct HttpOutcome {
  std::string answer;
  bool later = false;  ///< the answer will be put into the mailbox; `answer` is for when it is not in time
};

class Connections {
 public:
  /// One complete request in, the bytes of its answer out. Must not wait: every other client would.
  using Answer = std::function<HttpOutcome(const HttpRequest&)>;

  /// Serves from now on; `answer` is called on its thread. Its end closes everything.
  Connections(Listener listener, const HttpLimits& limits, std::shared_ptr<Mailbox> mailbox, Answer answer);

  [[nodiscard]] int port() const { return listener_.port(); }

 private:
  enum class Phase { reading, waiting, writing, lingering, closed };

  struct Connection {
    int socket = -1;
    Phase phase = Phase::reading;
    std::string input;
    AnswerBytes output;
    std::string peer;
    std::size_t request_length = 0;  ///< of head and body together; 0: the head is not complete
    std::uint64_t ticket = 0;        ///< of the request that waits for its answer
    std::size_t written = 0;
    std::size_t discarded = 0;
    int requests = 0;
    bool input_ended = false;
    bool close_after = false;
    Instant since;  ///< accepted, or done with the last request
    Instant deadline;
  };

  void run();
  void wait();
  void accept_all();
  bool accept_one();
  void advance(Connection& connection);
  void read(Connection& connection);
  void answer_next(Connection& connection);
  void answer(Connection& connection, RequestHead head, std::string_view body);
  void give_late_answers();
  [[nodiscard]] static bool has_request(const Connection& connection);
  void check_deadline(Connection& connection);
  void send(Connection& connection, AnswerBytes output, bool close);
  [[nodiscard]] bool has_room(const AnswerBytes& output) const;
  void write(Connection& connection);
  void finish_answer(Connection& connection);
  void discard(Connection& connection);
  void close(Connection& connection);
  bool close_oldest();
  [[nodiscard]] int time_left() const;

  Listener listener_;
  HttpLimits limits_;
  Answer answer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::uint64_t tickets_ = 0;
  Instant now_;
  Instant accept_again_;  ///< no accept before: the process has run out of descriptors
  std::list<Connection> connections_;
  Thread thread_;
};

}  // namespace outbox
