// TLS for a Redis connection, with verification of the server's certificate and name. Belongs to one
// connection and its thread. Built from redis_tls.cc, or from redis_tls_missing.cc where hiredis has no TLS.
#pragma once

#include <memory>
#include <string>

#include "adapters/brokers/redis/redis_settings.h"
#include "base/result.h"

struct redisContext;

namespace outbox {

class RedisTls {
 public:
  enum class Progress { wants_read, wants_write, done, failed };

  /// Empty: this build can. Else what is missing and what to do.
  static std::string missing();

  /// Begins the handshake on a connected, non-blocking context, which owns the session from then on. Reads
  /// the certificate files each time, so that renewed ones are taken. Errors: misconfigured (files),
  /// unavailable.
  static Result<std::unique_ptr<RedisTls>> start(redisContext& context, const RedisSettings& settings,
                                                 const std::string& host);
  ~RedisTls();

  /// Goes on with the handshake; call it when the socket is ready for what was wanted.
  Progress advance();

  /// After failed: misconfigured when the certificate was refused, else unavailable.
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  struct Session;
  explicit RedisTls(std::unique_ptr<Session> session);

  std::unique_ptr<Session> session_;
  Error error_;
};

}  // namespace outbox
