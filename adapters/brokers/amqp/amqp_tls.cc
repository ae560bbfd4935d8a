#include "adapters/brokers/amqp/amqp_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace outbox {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;

std::string last_error() {
  char text[256] = "connection closed";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Error bad_file(const std::string& setting, const std::string& path) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + last_error()};
}

Result<Context> make_context(const AmqpSettings& settings) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{Fault::unavailable, "TLS cannot be set up: " + last_error()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
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

void expect_name(SSL* session, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  ERR_clear_error();
  SSL_set1_host(session, name.c_str());
  SSL_set_tlsext_host_name(session, name.c_str());
}

}  // namespace

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
  auto context = make_context(settings);
  if (!context) return context.error();
  auto session = std::make_unique<Session>();
  session->ssl.reset(SSL_new(context->get()));
  SSL* const ssl = session->ssl.get();
  if (!ssl || SSL_set_fd(ssl, descriptor) != 1)
    return Error{Fault::unavailable, "TLS cannot be set up: " + last_error()};
  expect_name(ssl, settings.server_name.empty() ? host : settings.server_name);
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
  error_ = {Fault::unavailable, "TLS: " + last_error()};
  return Progress::failed;
}

AmqpTls::Progress AmqpTls::handshake() {
  ERR_clear_error();
  const Progress progress = progress_of(SSL_do_handshake(session_->ssl.get()));
  if (progress != Progress::failed) return progress;
  if (const long verified = SSL_get_verify_result(session_->ssl.get()); verified != X509_V_OK)
    error_ = {Fault::misconfigured, std::string("the server's certificate is refused: ") +
                                        X509_verify_cert_error_string(verified) +
                                        "; see ca_file and server_name"};
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
