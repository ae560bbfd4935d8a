// A stand-in for Redis that speaks as much of its protocol as XADD needs, keeps what it accepts, and turns
// away a share of the messages. Its own thread serves; every call is for any thread.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

class FlakyRedis {
 public:
  /// What it does to a message; the id alone decides, so that every attempt fares alike.
  enum class Mood {
    friendly,
    moody,      ///< turned away a few times, then taken
    refusing,   ///< never taken, and told so
    murderous,  ///< ends the connection whenever it comes
  };
  static Mood mood_of(const std::string& id);
  /// Whether it must become a dead letter.
  static bool is_poison(const std::string& id);

  explicit FlakyRedis(unsigned seed);
  FlakyRedis(const FlakyRedis&) = delete;
  FlakyRedis& operator=(const FlakyRedis&) = delete;
  ~FlakyRedis();

  [[nodiscard]] int port() const { return port_; }
  /// Adds what was accepted and is not there yet.
  void copy_to(std::vector<Received>& arrived);
  [[nodiscard]] std::size_t connections();
  /// How often it ended a connection of its own accord.
  [[nodiscard]] std::size_t hang_ups();

 private:
  struct Connection {
    int socket = -1;
    std::string input;
    bool is_over = false;
  };

  void serve();
  void accept_one();
  void receive(Connection& connection);
  /// The answer; nothing: the connection is to be ended.
  std::optional<std::string> answer(const std::vector<std::string>& command);
  std::optional<std::string> add(const std::vector<std::string>& command);

  std::mutex mutex_;
  std::mt19937 random_;
  int listener_ = -1, port_ = 0, wake_ = -1;
  bool stopping_ = false;
  std::list<Connection> connections_;
  std::vector<Received> accepted_;
  std::map<std::string, int> attempts_;  // by id, of moody ones
  std::size_t hang_ups_ = 0;
  std::thread thread_;
};

}  // namespace outbox::test
