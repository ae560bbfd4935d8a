// TLS for a connection to RabbitMQ, with verification of the server's certificate and name. Belongs to one
// connection and its thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/brokers/amqp/amqp_settings.h"
#include "base/result.h"

namespace outbox {

class AmqpTls {
 public:
  enum class Progress { done, wants_read, wants_write, closed, failed };

  /// For a connected, non-blocking socket, which stays the caller's. Reads the certificate files each time,
  /// so that renewed ones are taken. Errors: misconfigured (files), unavailable.
  static Result<std::unique_ptr<AmqpTls>> start(int descriptor, const AmqpSettings& settings,
                                                const std::string& host);
  ~AmqpTls();

  /// Goes on with the handshake; call it when the socket is ready for what was wanted.
  Progress handshake();
  /// done: `size` bytes are in `to`.
  Progress read(char* to, std::size_t size_max, std::size_t& size);
  /// done: the first `size` bytes have gone. After wants_...: again, with the same bytes in front. None of
  /// them counts as gone before: a record that is sent in part tells the server nothing.
  Progress write(std::string_view bytes, std::size_t& size);

  /// After failed: misconfigured when the certificate was refused, else unavailable.
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  struct Session;
  explicit AmqpTls(std::unique_ptr<Session> session);
  Progress progress_of(int result);

  std::unique_ptr<Session> session_;
  Error error_;
};

}  // namespace outbox
