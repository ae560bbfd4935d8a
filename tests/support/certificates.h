// Certificates for TLS tests, made by openssl in a temporary directory. Stays in its test.
#pragma once

#include <stdexcept>
#include <string>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

/// One that signs itself, for the name broker.test and for 127.0.0.1: server certificate and authority in
/// one.
class Certificate {
 public:
  Certificate() {
    const Finished made =
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", file, "-days", "2", "-subj", "/CN=broker.test", "-addext",
             "subjectAltName=DNS:broker.test,IP:127.0.0.1"});
    if (made.exit_code != 0) throw std::runtime_error("openssl made no certificate:\n" + made.output);
  }

 private:
  TempDir directory_;

 public:
  std::string file = directory_ / "server.pem";  ///< PEM
  std::string key = directory_ / "server.key";   ///< PEM; a server under another user cannot read it as it is
};

}  // namespace outbox::test
