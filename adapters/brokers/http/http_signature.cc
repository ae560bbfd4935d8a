#include "adapters/brokers/http/http_signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cassert>
#include <cstdlib>

#include "base/encoding.h"

namespace outbox {

/// The key is taken in once; each message only starts from there.
struct Signer::Context {
  explicit Context(const std::string& key) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    mac = EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm);
    const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
    if (!mac || EVP_MAC_init(mac, bytes, key.size(), parameters) != 1)
      std::abort();  // an OpenSSL without HMAC-SHA256
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MAC_CTX_free(mac); }

  void add(std::string_view text) const {
    EVP_MAC_update(mac, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }

  EVP_MAC_CTX* mac;
};

Signer::Signer(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) contexts_.push_back(std::make_unique<Context>(key));
}
Signer::~Signer() = default;

void Signer::append(std::string& to, std::string_view id, std::string_view timestamp, std::string_view body) {
  bool is_first = true;
  for (const auto& context : contexts_) {
    EVP_MAC_init(context->mac, nullptr, 0, nullptr);
    for (const std::string_view part : {id, std::string_view("."), timestamp, std::string_view("."), body})
      context->add(part);
    std::array<unsigned char, 32> hash;
    std::size_t size = 0;
    [[maybe_unused]] const int done = EVP_MAC_final(context->mac, hash.data(), &size, hash.size());
    assert(done == 1 && size == hash.size());
    to += is_first ? "v1," : " v1,";
    append_base64(to, {reinterpret_cast<const char*>(hash.data()), size});
    is_first = false;
  }
}

}  // namespace outbox
