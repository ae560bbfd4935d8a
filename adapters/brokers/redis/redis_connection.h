// One connection to a Redis server: connects, pipelines requests, parses replies, never blocks but to look up
// a host's name. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/redis/redis_settings.h"
#include "adapters/brokers/redis/redis_tls.h"
#include "adapters/common/output_buffer.h"
#include "adapters/common/tcp_connector.h"

struct redisContext;

namespace outbox {

struct RedisReply {
  enum class Kind { text, nil, integer, error, other };
  Kind kind = Kind::other;
  std::string text;      ///< of an error; with keeps_texts, of a text as well
  long long number = 0;  ///< of an integer
  bool keeps_texts = false;
  std::vector<std::string> elements;  ///< with keeps_texts: every text in an array
};

class RedisConnection {
 public:
  enum class Progress { waiting, ready, failed };

  /// `settings` must outlive the connection.
  explicit RedisConnection(const RedisSettings& settings);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  /// Begins anew with the next of the hosts and their addresses; all are tried before it fails.
  void begin();

  /// Goes on with connecting; after `waiting` call it again when the descriptor is ready for events().
  Progress advance();

  /// For poll(); -1 when closed.
  [[nodiscard]] int descriptor() const {
    return phase_ == Phase::connecting ? connector_.descriptor() : descriptor_;
  }
  [[nodiscard]] short events() const;

  /// Requests are appended here, then flush()ed.
  OutputBuffer& output() { return output_; }
  [[nodiscard]] std::uint64_t appended_bytes() const { return handed_over_ + output_.view().size(); }
  /// How far the bytes have left this process, counted from begin().
  [[nodiscard]] std::uint64_t sent_bytes() const;

  /// Sends what the socket takes. False: the connection is broken.
  bool flush();

  /// Reads once and calls `use` for each complete reply, until it returns false. False: the connection is
  /// broken.
  bool receive(const std::function<bool(const RedisReply&)>& use);

  /// After the connection broke: the replies that had come before it did, which a failed write would leave
  /// unread.
  void receive_rest(const std::function<bool(const RedisReply&)>& use);

  /// For those few who ask for more than errors and numbers: texts are copied.
  void keep_texts() { reply_.keeps_texts = true; }

  /// Why it failed or broke, with the server's address.
  [[nodiscard]] Error error() const { return {fault_, endpoint() + ": " + what_}; }
  /// "host:port" of the server in use.
  [[nodiscard]] const std::string& endpoint() const { return connector_.endpoint(); }

  void close();

 private:
  enum class Phase { connecting, securing, ready };

  Progress secure();
  void attach();
  Progress failed(Fault fault, std::string what);
  bool parse(const std::function<bool(const RedisReply&)>& use);
  bool broken();

  const RedisSettings& settings_;
  TcpConnector connector_;
  Phase phase_ = Phase::connecting;

  int descriptor_ = -1;
  redisContext* context_ = nullptr;  ///< owns the descriptor once it is there
  std::unique_ptr<RedisTls> tls_;
  bool tls_wants_write_ = false;
  OutputBuffer output_;
  std::uint64_t handed_over_ = 0;  ///< bytes given to hiredis
  RedisReply reply_;               ///< filled by the parser

  Fault fault_ = Fault::unavailable;
  std::string what_;
};

}  // namespace outbox
