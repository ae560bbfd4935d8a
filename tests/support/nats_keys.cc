#include "tests/support/nats_keys.h"

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace outbox::test {
namespace {

// The first bytes, chosen so that the text begins with O, A, U and S.
constexpr unsigned operator_byte = 14 << 3, account_byte = 0, user_byte = 20 << 3, seed_byte = 18 << 3;

unsigned byte_of(NatsKey::Kind kind) {
  switch (kind) {
    case NatsKey::Kind::operators:
      return operator_byte;
    case NatsKey::Kind::account:
      return account_byte;
    case NatsKey::Kind::user:
      return user_byte;
  }
  return 0;
}

std::string in_base(std::string_view bytes, unsigned bits_of_digit, std::string_view digits) {
  std::string text;
  unsigned bits = 0, count = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    for (count += 8; count >= bits_of_digit; bits &= (1U << count) - 1U)
      text += digits[bits >> (count -= bits_of_digit)];
  }
  if (count > 0) text += digits[bits << (bits_of_digit - count)];
  return text;
}

std::string base64url(std::string_view bytes) {
  return in_base(bytes, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

/// Base32 with a CRC-16 behind (polynomial 0x1021, low byte first).
std::string nkey_text(std::string bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8U;
    for (int bit = 0; bit < 8; ++bit)
      crc = ((crc & 0x8000U) != 0 ? crc << 1U ^ 0x1021U : crc << 1U) & 0xFFFFU;
  }
  bytes += static_cast<char>(crc & 0xFFU);
  bytes += static_cast<char>(crc >> 8U);
  return in_base(bytes, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

void check(int result) {
  if (result != 1) throw std::runtime_error("openssl does not sign");
}

std::string sign(const std::string& private_key, std::string_view text) {
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                             reinterpret_cast<const unsigned char*>(private_key.data()),
                                             private_key.size()),
                EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  unsigned char signature[64];
  std::size_t size = sizeof signature;
  check(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()));
  check(EVP_DigestSign(context.get(), signature, &size, reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()));
  return {reinterpret_cast<const char*>(signature), size};
}

constexpr const char* all_that_a_user_may =
    R"({"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"type":"user","version":2)";

}  // namespace

NatsKey::NatsKey(Kind kind) {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  unsigned char bytes[32];
  std::size_t size = sizeof bytes;
  check(EVP_PKEY_get_raw_private_key(key.get(), bytes, &size));
  private_key_.assign(reinterpret_cast<const char*>(bytes), size);
  check(EVP_PKEY_get_raw_public_key(key.get(), bytes, &size));
  const std::string public_key(reinterpret_cast<const char*>(bytes), size);
  const unsigned first = byte_of(kind);
  name_ = nkey_text(std::string(1, static_cast<char>(first)) + public_key);
  seed_ = nkey_text(
      std::string{static_cast<char>(seed_byte | first >> 5U), static_cast<char>((first & 31U) << 3U)} +
      private_key_);
}

std::string NatsKey::jwt(const NatsKey& subject, const std::string& claims) const {
  const std::string text =
      base64url(R"({"typ":"JWT","alg":"ed25519-nkey"})") + "." +
      base64url(R"({"jti":"test","iat":1769904000,"iss":")" + name_ + R"(","name":"test","sub":")" +
                subject.name_ + R"(","nats":)" + claims + "}");
  return text + "." + base64url(sign(private_key_, text));
}

std::string NatsAccount::server_configuration() const {
  const std::string claims =
      R"({"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,)"
      R"("leaf":-1,"mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1},)"
      R"("default_permissions":{"pub":{},"sub":{}},"type":"account","version":2})";
  const auto entry = [&](const NatsKey& account, const std::string& may) {
    return account.name() + ": \"" + operator_.jwt(account, may) + "\"\n";
  };
  return "trusted: " + operator_.name() + "\nsystem_account: " + system_.name() +
         "\nresolver: MEMORY\nresolver_preload: {\n" + entry(account_, claims) +
         entry(system_, R"({"type":"account","version":2})") + "}";
}

std::string NatsAccount::credentials() const {
  const NatsKey user(NatsKey::Kind::user);
  return "-----BEGIN NATS USER JWT-----\n" + account_.jwt(user, all_that_a_user_may + std::string("}")) +
         "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n" + user.seed() +
         "\n------END USER NKEY SEED------\n";
}

std::string NatsAccount::bearer_jwt() const {
  return account_.jwt(NatsKey(NatsKey::Kind::user),
                      all_that_a_user_may + std::string(R"(,"bearer_token":true})"));
}

}  // namespace outbox::test
