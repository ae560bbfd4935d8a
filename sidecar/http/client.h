// Asks another process' HTTP server. Blocking; any thread.
#pragma once

#include <string>

#include "base/result.h"

namespace outbox {

struct HttpReply {
  int status = 0;
  std::string body;
};

/// GET, with `Authorization: Bearer` unless `token` is empty; gives up after about 2 seconds. Follows
/// nothing. Errors: unavailable (nobody answers).
[[nodiscard]] Result<HttpReply> http_get(const std::string& host, int port, const std::string& path,
                                         const std::string& token);

}  // namespace outbox
