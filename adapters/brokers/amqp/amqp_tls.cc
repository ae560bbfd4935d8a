#include "adapters/brokers/amqp/amqp_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "adapters/common/tls_context.h"

namespace outbox {
struct AmqpTls::Session {
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, Free> ssl;
};

AmqpTls::AmqpTls(std::unique_ptr<Session> session) : session_(std::move(session)) {}
AmqpTls::~AmqpTls() = default;

Result<std::unique_ptr<AmqpTls>> AmqpTls::start(int descriptor, const AmqpSettings& settings,
                                                const std::string& host) {
  auto context = make_tls_context({settings.ca_file, settings.cert_file, settings.key_file});
  if (!context) return context.error();
  SSL_CTX_set_mode(context->get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  auto session = std::make_unique<Session>();
  session->ssl.reset(SSL_new(context->get()));
  SSL* const ssl = session->ssl.get();
  if (!ssl || SSL_set_fd(ssl, descriptor) != 1)
    return Error{Fault::unavailable, "TLS cannot be set up: " + last_tls_error()};
  expect_tls_name(ssl, settings.server_name.empty() ? host : settings.server_name);
  SSL_set_connect_state(ssl);
  return std::unique_ptr<AmqpTls>(new AmqpTls(std::move(session)));
}

AmqpTls::Progress AmqpTls::progress_of(int result) {
  if (result > 0) return Progress::done;
  switch (SSL_get_error(session_->ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Progress::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      return Progress::closed;
    default:
      break;
  }
  error_ = {Fault::unavailable, "TLS: " + last_tls_error()};
  return Progress::failed;
}

AmqpTls::Progress AmqpTls::handshake() {
  ERR_clear_error();
  const Progress progress = progress_of(SSL_do_handshake(session_->ssl.get()));
  if (progress != Progress::failed) return progress;
  if (const long verified = SSL_get_verify_result(session_->ssl.get()); verified != X509_V_OK)
    error_ = tls_refusal(verified);
  return progress;
}

AmqpTls::Progress AmqpTls::read(char* to, std::size_t size_max, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_read_ex(session_->ssl.get(), to, size_max, &size));
}

AmqpTls::Progress AmqpTls::write(std::string_view bytes, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_write_ex(session_->ssl.get(), bytes.data(), bytes.size(), &size));
}

}  // namespace outbox
