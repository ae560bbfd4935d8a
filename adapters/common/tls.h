// The client's side of TLS as every route has it: the chain and the name of the server's certificate are
// always verified. Each belongs to one connection and its thread. Built from tls.cc, or from tls_missing.cc
// without OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/common/server_settings.h"
#include "base/result.h"

namespace outbox {

/// Empty: this build can. Else what is missing and what to do.
std::string tls_missing(const ServerKind& kind);

/// What OpenSSL or a library on top of it needs for one connection, and what its handshake found out.
class TlsContext {
 public:
  /// TLS 1.2 or later. Reads the files each time, so that renewed ones are taken. `host`: as the URL has it.
  /// Errors: misconfigured (names the setting and the file), unavailable.
  static Result<std::unique_ptr<TlsContext>> make(const ServerSettings& settings, const std::string& host);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  /// An SSL_CTX; who takes a share of it must not use it beyond this object's end.
  [[nodiscard]] void* handle() const;

  /// Why the server's certificate was refused; empty when it was not.
  [[nodiscard]] std::string refusal() const;

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

class TlsStream {
 public:
  enum class Progress { done, wants_read, wants_write, closed, failed };

  /// For a connected, non-blocking socket, which stays the caller's. As TlsContext::make().
  static Result<std::unique_ptr<TlsStream>> start(int descriptor, const ServerSettings& settings,
                                                  const std::string& host);
  ~TlsStream();

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
  struct State;
  explicit TlsStream(std::unique_ptr<State> state);
  Progress progress_of(int result);

  std::unique_ptr<State> state_;
  Error error_;
};

}  // namespace outbox
