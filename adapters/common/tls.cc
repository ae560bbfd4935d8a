#include "adapters/common/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

#include "base/owned.h"

namespace outbox {
namespace {

/// What OpenSSL said last on this thread, and forgets.
std::string last_error() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Error no_tls() {
  return {Fault::unavailable, "TLS cannot be set up: " + last_error()};
}

Error bad_file(const std::string& setting, const std::string& path) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + last_error()};
}

Result<void> load_files(SSL_CTX* context, const ServerSettings& settings) {
  if (settings.ca_file.empty())
    SSL_CTX_set_default_verify_paths(context);
  else if (SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1)
    return bad_file("ca_file", settings.ca_file);
  if (settings.cert_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
    return bad_file("cert_file", settings.cert_file);
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return bad_file("key_file", settings.key_file);
  return {};
}

/// What the callbacks of one context need and find out.
struct Handshake {
  std::string host;  ///< for SNI; empty when the server goes by an address
  int verified = X509_V_OK;
};

Handshake& handshake_of(const SSL* ssl) {
  return *static_cast<Handshake*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int keep_refusal(int is_good, X509_STORE_CTX* store) {
  if (is_good == 1) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  handshake_of(ssl).verified = X509_STORE_CTX_get_error(store);
  return 0;
}

/// A library may ask for what it has connected to, which is an address.
void ask_for_host(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  const std::string& host = handshake_of(ssl).host;
  const char* const name = host.empty() ? nullptr : host.c_str();
  SSL_set_tlsext_host_name(const_cast<SSL*>(ssl), name);
}

/// The certificate must be for this host name or address.
void expect_name(SSL_CTX* context, Handshake& handshake, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(context);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  ERR_clear_error();
  X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size());
  handshake.host = name;
}

}  // namespace

std::string tls_missing(const ServerKind&) {
  return {};
}

struct TlsContext::State {
  Owned<SSL_CTX, SSL_CTX_free> context;
  Handshake handshake;
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::make(const ServerSettings& settings,
                                                     const std::string& host) {
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = state->context.get();
  if (!context) return no_tls();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_app_data(context, &state->handshake);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, keep_refusal);
  SSL_CTX_set_info_callback(context, ask_for_host);
  if (auto loaded = load_files(context, settings); !loaded) return loaded.error();
  expect_name(context, state->handshake, settings.server_name.empty() ? host : settings.server_name);
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(state)));
}

void* TlsContext::handle() const {
  return state_->context.get();
}

std::string TlsContext::refusal() const {
  const int verified = state_->handshake.verified;
  if (verified == X509_V_OK) return {};
  return std::string("the server's certificate is refused: ") + X509_verify_cert_error_string(verified) +
         "; see ca_file and server_name";
}

struct TlsStream::State {
  std::unique_ptr<TlsContext> context;
  Owned<SSL, SSL_free> ssl;
};

TlsStream::TlsStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::start(int descriptor, const ServerSettings& settings,
                                                    const std::string& host) {
  auto context = TlsContext::make(settings, host);
  if (!context) return context.error();
  auto state = std::make_unique<State>();
  state->context = std::move(context).value();
  state->ssl.reset(SSL_new(static_cast<SSL_CTX*>(state->context->handle())));
  SSL* const ssl = state->ssl.get();
  if (!ssl || SSL_set_fd(ssl, descriptor) != 1) return no_tls();
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_connect_state(ssl);
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(state)));
}

TlsStream::Progress TlsStream::progress_of(int result) {
  if (result > 0) return Progress::done;
  switch (SSL_get_error(state_->ssl.get(), result)) {
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

TlsStream::Progress TlsStream::handshake() {
  ERR_clear_error();
  const Progress progress = progress_of(SSL_do_handshake(state_->ssl.get()));
  if (progress != Progress::failed) return progress;
  if (std::string refusal = state_->context->refusal(); !refusal.empty())
    error_ = {Fault::misconfigured, std::move(refusal)};
  return progress;
}

TlsStream::Progress TlsStream::read(char* to, std::size_t size_max, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_read_ex(state_->ssl.get(), to, size_max, &size));
}

TlsStream::Progress TlsStream::write(std::string_view bytes, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_write_ex(state_->ssl.get(), bytes.data(), bytes.size(), &size));
}

}  // namespace outbox
