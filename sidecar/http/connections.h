// The connections of the HTTP server: one thread, no blocking call but poll, and a bound for everything a
// client can use up. Owned by the server's thread, except stop().
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>

#include "http/listener.h"
#include "http/request_head.h"

namespace outbox {

/// What a client may use. Tests shorten the times.
struct HttpLimits {
  std::size_t connections_max = 128;            ///< one more: the one that has waited longest is closed
  std::size_t head_max = 8192;                  ///< bytes of a request's head; more: 431
  int requests_max = 1000;                      ///< per connection
  std::chrono::milliseconds head_time{5000};    ///< first byte to complete head, however they drip
  std::chrono::milliseconds idle_time{15000};   ///< between two requests
  std::chrono::milliseconds answer_time{5000};  ///< until the client has taken the whole answer
  std::chrono::milliseconds linger_time{1000};  ///< for the client to see an answer before the close
};

class Connections {
 public:
  /// One complete request in, the bytes of its answer out. Must not wait: every other client would.
  using Answer = std::function<std::string(const RequestHead&)>;

  Connections(Listener listener, const HttpLimits& limits, Answer answer);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  /// Serves until stop(), then closes everything.
  void run();

  /// Ends run(). Any thread; does not wait.
  void stop() noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { reading, writing, lingering, closed };

  struct Connection {
    int socket = -1;
    Phase phase = Phase::reading;
    std::string input;
    std::string output;
    std::size_t written = 0;
    std::size_t discarded = 0;
    int requests = 0;
    bool input_ended = false;
    bool close_after = false;
    Clock::time_point since;  ///< accepted, or done with the last request
    Clock::time_point deadline;
  };

  void wait();
  void accept_all();
  bool accept_one();
  void advance(Connection& connection);
  void read(Connection& connection);
  void answer_next(Connection& connection);
  void send(Connection& connection, std::string output, bool close);
  void write(Connection& connection);
  void finish_answer(Connection& connection);
  void discard(Connection& connection);
  void close(Connection& connection);
  bool close_oldest();
  [[nodiscard]] int time_left() const;

  Listener listener_;
  HttpLimits limits_;
  Answer answer_;
  int wake_;
  std::atomic<bool> stopping_ = false;
  Clock::time_point now_;
  Clock::time_point accept_again_;  ///< no accept before: the process has run out of descriptors
  std::list<Connection> connections_;
};

}  // namespace outbox
