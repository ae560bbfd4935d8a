#include "adapters/brokers/mqtt/mqtt_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

#include "adapters/common/tls_context.h"

namespace outbox {
namespace {

/// What the callbacks of one context need and find out.
struct Handshake {
  std::string host;  ///< for SNI; empty when the server goes by an address
  int verified = X509_V_OK;
};

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
  TlsContext context;
  Handshake handshake;
};

MqttTls::MqttTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
MqttTls::~MqttTls() = default;

std::string MqttTls::missing() {
  return {};
}

Result<std::unique_ptr<MqttTls>> MqttTls::make(const MqttSettings& settings, const std::string& host) {
  auto made = make_tls_context({settings.ca_file, settings.cert_file, settings.key_file});
  if (!made) return made.error();
  auto state = std::make_unique<State>();
  state->context = std::move(made).value();
  SSL_CTX* const context = state->context.get();
  SSL_CTX_set_app_data(context, &state->handshake);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, keep_refusal);
  SSL_CTX_set_info_callback(context, ask_for_host);
  expect_name(context, state->handshake, settings.server_name.empty() ? host : settings.server_name);
  return std::unique_ptr<MqttTls>(new MqttTls(std::move(state)));
}

void* MqttTls::context() const {
  return state_->context.get();
}

std::string MqttTls::refusal() const {
  if (state_->handshake.verified == X509_V_OK) return {};
  return tls_refusal(state_->handshake.verified).text;
}

}  // namespace outbox
