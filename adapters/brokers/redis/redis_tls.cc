#include "adapters/brokers/redis/redis_tls.h"

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace outbox {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

std::string last_error() {
  char text[256] = "connection closed";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Error bad_file(const std::string& setting, const std::string& path) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + last_error()};
}

Result<TlsContext> make_context(const RedisSettings& settings) {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{Fault::unavailable, "TLS cannot be set up: " + last_error()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (settings.ca_file.empty())
    SSL_CTX_set_default_verify_paths(context.get());
  else if (SSL_CTX_load_verify_locations(context.get(), settings.ca_file.c_str(), nullptr) != 1)
    return bad_file("ca_file", settings.ca_file);
  if (settings.cert_file.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(context.get(), settings.cert_file.c_str()) != 1)
    return bad_file("cert_file", settings.cert_file);
  if (SSL_CTX_use_PrivateKey_file(context.get(), settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1)
    return bad_file("key_file", settings.key_file);
  return context;
}

/// hiredis itself checks the chain but not the name: without this any certificate of a trusted authority
/// would do.
void expect_name(SSL* session, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  ERR_clear_error();
  SSL_set1_host(session, name.c_str());
  SSL_set_tlsext_host_name(session, name.c_str());
}

Error handshake_error(const SSL* session) {
  const long verified = SSL_get_verify_result(session);
  if (verified == X509_V_OK) return {Fault::unavailable, "TLS handshake failed: " + last_error()};
  return {Fault::misconfigured, std::string("the server's certificate is refused: ") +
                                    X509_verify_cert_error_string(verified) +
                                    "; see ca_file and server_name"};
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
  auto tls_context = make_context(settings);
  if (!tls_context) return tls_context.error();
  SSL* const ssl = SSL_new(tls_context->get());
  if (!ssl) return Error{Fault::unavailable, "TLS cannot be set up: " + last_error()};
  expect_name(ssl, settings.server_name.empty() ? host : settings.server_name);
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
