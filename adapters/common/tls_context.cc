#include "adapters/common/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace outbox {
namespace {

Error bad_file(const std::string& setting, const std::string& path) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + last_tls_error()};
}

}  // namespace

Result<TlsContext> make_tls_context(const TlsFiles& files) {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error{Fault::unavailable, "TLS cannot be set up: " + last_tls_error()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (files.ca_file.empty())
    SSL_CTX_set_default_verify_paths(context.get());
  else if (SSL_CTX_load_verify_locations(context.get(), files.ca_file.c_str(), nullptr) != 1)
    return bad_file("ca_file", files.ca_file);
  if (files.cert_file.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.cert_file.c_str()) != 1)
    return bad_file("cert_file", files.cert_file);
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1)
    return bad_file("key_file", files.key_file);
  return context;
}

void expect_tls_name(SSL* session, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  ERR_clear_error();
  SSL_set1_host(session, name.c_str());
  SSL_set_tlsext_host_name(session, name.c_str());
}

Error tls_refusal(long verified) {
  return {Fault::misconfigured, std::string("the server's certificate is refused: ") +
                                    X509_verify_cert_error_string(verified) +
                                    "; see ca_file and server_name"};
}

std::string last_tls_error() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

}  // namespace outbox
