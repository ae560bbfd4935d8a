// Signs messages as Standard Webhooks has it (https://www.standardwebhooks.com): HMAC-SHA256 over id,
// timestamp and body. Belongs to one broker and its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

class Signer {
 public:
  /// One signature per key; none: nothing is signed.
  explicit Signer(const std::vector<std::string>& keys);
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  ~Signer();

  [[nodiscard]] bool signs() const { return !contexts_.empty(); }

  /// Appends "v1,<base64>" for each key, separated by spaces. `timestamp`: seconds since 1970, in decimal.
  void append(std::string& to, std::string_view id, std::string_view timestamp, std::string_view body);

 private:
  struct Context;
  std::vector<std::unique_ptr<Context>> contexts_;
};

}  // namespace outbox
