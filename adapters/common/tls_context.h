// The client's side of TLS as every route has it: the chain and the name of the server's certificate are
// always verified. Only where OpenSSL is: target outbox_adapter_tls. For the thread that calls.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace outbox {

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTlsContext>;

/// The settings of these names; empty: the system's authorities, no certificate of our own.
struct TlsFiles {
  const std::string& ca_file;
  const std::string& cert_file;
  const std::string& key_file;
};

/// TLS 1.2 or later. Reads the files each time, so that renewed ones are taken. Errors: misconfigured, naming
/// the setting and the file.
Result<TlsContext> make_tls_context(const TlsFiles& files);

/// Of `session`, before its handshake: the certificate must be for this host name or address.
void expect_tls_name(SSL* session, const std::string& name);

/// Why a certificate was refused, for X509_STORE_CTX_get_error() or SSL_get_verify_result(): misconfigured.
Error tls_refusal(long verified);

/// What OpenSSL said last on this thread, and forgets.
std::string last_tls_error();

}  // namespace outbox
