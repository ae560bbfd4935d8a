// Redis' replies out of the bytes of a connection, by hiredis' parser. Belongs to one connection and its
// thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace outbox {

struct RedisReply {
  enum class Kind { text, nil, integer, error, other };
  Kind kind = Kind::other;
  std::string text;      ///< of an error; with keeps_texts, of a text as well
  long long number = 0;  ///< of an integer
  bool keeps_texts = false;
  std::vector<std::string> elements;  ///< with keeps_texts: every text in an array
};

class RedisReplies {
 public:
  RedisReplies() = default;
  RedisReplies(const RedisReplies&) = delete;
  RedisReplies& operator=(const RedisReplies&) = delete;
  ~RedisReplies();

  /// Forgets all it was given, for a new connection.
  void reset();

  /// For those few who ask for more than errors and numbers: texts are copied.
  void keep_texts() { reply_.keeps_texts = true; }

  /// Takes bytes as they came and calls `use` for each reply that they complete, until it returns false.
  /// False: that is no Redis, see error().
  bool feed(std::string_view bytes, const std::function<bool(const RedisReply&)>& use);
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  redisReader* reader_ = nullptr;
  RedisReply reply_;  ///< filled by the parser
  std::string error_;
};

}  // namespace outbox
