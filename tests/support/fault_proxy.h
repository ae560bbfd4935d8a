// A TCP proxy inside the test that spoils a connection on demand: delays, cuts, swallows. Its own thread
// forwards; every call is for any thread and has taken effect when it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

namespace outbox::test {

class FaultProxy {
 public:
  /// Listens on `port` of 127.0.0.1 (0: a free one) and forwards to 127.0.0.1:server_port. The seed decides
  /// jitter and piece sizes.
  explicit FaultProxy(int server_port, std::uint64_t seed = 1, int port = 0);
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy();

  [[nodiscard]] int port() const { return port_; }

  /// Everything arrives this much later, plus up to `jitter`; the order within a direction stays.
  void delay(std::chrono::milliseconds time, std::chrono::milliseconds jitter = {});
  /// Forwards pieces of 1 to `bytes_max` bytes, one per millisecond and direction; 0: as they come.
  void drip(std::size_t bytes_max);
  /// Requests reach the server, answers reach nobody.
  void swallow_answers(bool on);
  /// Connections stay open, nothing passes in either direction: a host that has vanished.
  void half_open(bool on);
  /// Resets every connection.
  void cut();
  /// Ends the connection after exactly this many more bytes from server to client; once.
  void cut_after_answers(std::size_t bytes);
  /// New connections are closed at once.
  void refuse(bool on);
  /// Forwards faithfully again; what was swallowed stays lost.
  void heal();

  [[nodiscard]] int connections();
  [[nodiscard]] std::uint64_t accepted();       ///< connections so far, those that are over included
  [[nodiscard]] std::uint64_t request_bytes();  ///< that reached the server, all connections
  [[nodiscard]] std::uint64_t answer_bytes();   ///< that came from the server, swallowed ones included

 private:
  using Clock = std::chrono::steady_clock;

  struct Chunk {
    Clock::time_point due;
    std::string data;
  };
  struct Flow {
    std::deque<Chunk> chunks;
    std::size_t queued = 0;
    Clock::time_point next_piece{};
    bool ended = false;  ///< its source has sent its end
    bool passed_end = false;
  };
  struct Connection {
    int client = -1, server = -1;
    Flow request, answer;
    bool draining = false;  ///< cut: the client still has to read what was sent before
    bool broken = false;
  };

  void forward();
  void accept_one();
  int wait_time() const;
  void receive(Connection& connection, bool from_client);
  void pass_on(Connection& connection, bool to_server);
  std::size_t piece_size(const Flow& flow, bool to_server);
  void end_for_client(Connection& connection);
  void drop(Connection& connection);
  void changed();

  int server_port_, port_ = 0, listener_ = -1, wake_ = -1;
  std::mutex mutex_;
  std::mt19937_64 random_;
  std::list<Connection> connections_;
  std::chrono::milliseconds delay_{}, jitter_{};
  std::size_t drip_ = 0;
  bool swallow_ = false, half_open_ = false, refuse_ = false, stopping_ = false;
  std::optional<std::size_t> answers_left_;
  std::uint64_t request_bytes_ = 0, answer_bytes_ = 0, accepted_ = 0;
  std::thread thread_;
};

}  // namespace outbox::test
