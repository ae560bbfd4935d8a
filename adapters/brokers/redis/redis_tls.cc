#include "adapters/brokers/redis/redis_tls.h"

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "adapters/common/tls_context.h"

namespace outbox {
namespace {

Error handshake_error(const SSL* session) {
  const long verified = SSL_get_verify_result(session);
  if (verified == X509_V_OK) return {Fault::unavailable, "TLS handshake failed: " + last_tls_error()};
  return tls_refusal(verified);
}

}  // namespace

struct RedisTls::Session {
  SSL* ssl;  ///< owned by the hiredis context
};

RedisTls::RedisTls(std::unique_ptr<Session> session) : session_(std::move(session)) {}
RedisTls::~RedisTls() = default;

std::string RedisTls::missing() {
  return {};
}

Result<std::unique_ptr<RedisTls>> RedisTls::start(redisContext& context, const RedisSettings& settings,
                                                  const std::string& host) {
  auto tls_context = make_tls_context({settings.ca_file, settings.cert_file, settings.key_file});
  if (!tls_context) return tls_context.error();
  SSL* const ssl = SSL_new(tls_context->get());
  if (!ssl) return Error{Fault::unavailable, "TLS cannot be set up: " + last_tls_error()};
  // hiredis itself checks the chain but not the name: any certificate of a trusted authority would do.
  expect_tls_name(ssl, settings.server_name.empty() ? host : settings.server_name);
  if (redisInitiateSSL(&context, ssl) != REDIS_OK) {
    // It begins the handshake, and where the server is quick it has gone through all of it.
    const Error error = handshake_error(ssl);
    SSL_free(ssl);
    return error;
  }
  return std::unique_ptr<RedisTls>(new RedisTls(std::make_unique<Session>(Session{ssl})));
}

RedisTls::Progress RedisTls::advance() {
  ERR_clear_error();
  const int result = SSL_do_handshake(session_->ssl);
  if (result == 1) return Progress::done;
  switch (SSL_get_error(session_->ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return Progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Progress::wants_write;
    default:
      break;
  }
  error_ = handshake_error(session_->ssl);
  return Progress::failed;
}

}  // namespace outbox
