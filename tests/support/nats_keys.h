// Logins of NATS by keys instead of passwords: an account that nobody operates but this test, and users whose
// JWTs it signs, as `nsc` makes them. Stays in its test.
#pragma once

#include <string>
#include <string_view>

namespace outbox::test {

/// An Ed25519 key pair in NATS' spelling.
class NatsKey {
 public:
  enum class Kind { operators, account, user };
  explicit NatsKey(Kind kind);

  [[nodiscard]] const std::string& name() const { return name_; }  ///< the public key
  [[nodiscard]] const std::string& seed() const { return seed_; }
  /// A JWT that says `claims`, a JSON object, of `subject`.
  [[nodiscard]] std::string jwt(const NatsKey& subject, const std::string& claims) const;

 private:
  std::string private_key_;  ///< 32 bytes
  std::string name_, seed_;
};

class NatsAccount {
 public:
  /// For the server's configuration, in the place of an authorization block.
  [[nodiscard]] std::string server_configuration() const;
  /// The text of a file of credentials, for a new user who may do everything.
  [[nodiscard]] std::string credentials() const;
  /// The JWT of a user who needs no key to log in.
  [[nodiscard]] std::string bearer_jwt() const;

 private:
  NatsKey operator_{NatsKey::Kind::operators};
  NatsKey account_{NatsKey::Kind::account};
  NatsKey system_{NatsKey::Kind::account};  ///< the server's own, which JetStream needs
};

}  // namespace outbox::test
