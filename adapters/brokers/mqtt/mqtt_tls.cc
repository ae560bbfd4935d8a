#include "adapters/brokers/mqtt/mqtt_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace outbox {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// What the callbacks of one context need and find out.
struct Handshake {
  std::string host;  ///< for SNI; empty when the server goes by an address
  int verified = X509_V_OK;
};

std::string last_error() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Error bad_file(const std::string& setting, const std::string& path) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + last_error()};
}

Handshake& handshake_of(const SSL* session) {
  return *static_cast<Handshake*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
}

int keep_refusal(int is_good, X509_STORE_CTX* store) {
  if (is_good == 1) return 1;
  const auto* session =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  handshake_of(session).verified = X509_STORE_CTX_get_error(store);
  return 0;
}

/// The library asks for the name that it has connected to, which is an address, see
/// MqttConnection::resolve().
void ask_for_host(const SSL* session, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  const std::string& host = handshake_of(session).host;
  const char* const name = host.empty() ? nullptr : host.c_str();
  SSL_set_tlsext_host_name(const_cast<SSL*>(session), name);
}

void expect_name(SSL_CTX* context, Handshake& handshake, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(context);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  ERR_clear_error();
  X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size());
  handshake.host = name;
}

}  // namespace

struct MqttTls::State {
  std::unique_ptr<SSL_CTX, FreeContext> context{SSL_CTX_new(TLS_client_method())};
  Handshake handshake;
};

MqttTls::MqttTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
MqttTls::~MqttTls() = default;

std::string MqttTls::missing() {
  return {};
}

Result<std::unique_ptr<MqttTls>> MqttTls::make(const MqttSettings& settings, const std::string& host) {
  auto state = std::make_unique<State>();
  SSL_CTX* const context = state->context.get();
  if (!context) return Error{Fault::unavailable, "TLS cannot be set up: " + last_error()};
  SSL_CTX_set_app_data(context, &state->handshake);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, keep_refusal);
  SSL_CTX_set_info_callback(context, ask_for_host);
  expect_name(context, state->handshake, settings.server_name.empty() ? host : settings.server_name);
  if (settings.ca_file.empty())
    SSL_CTX_set_default_verify_paths(context);
  else if (SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1)
    return bad_file("ca_file", settings.ca_file);
  if (!settings.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
      return bad_file("cert_file", settings.cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
      return bad_file("key_file", settings.key_file);
  }
  return std::unique_ptr<MqttTls>(new MqttTls(std::move(state)));
}

void* MqttTls::context() const {
  return state_->context.get();
}

std::string MqttTls::refusal() const {
  if (state_->handshake.verified == X509_V_OK) return {};
  return std::string("the server's certificate is refused: ") +
         X509_verify_cert_error_string(state_->handshake.verified) + "; see ca_file and server_name";
}

}  // namespace outbox
