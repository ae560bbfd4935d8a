// Asks the relay of a configuration over HTTP. Blocking; main thread.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"
#include "http/client.h"

namespace outbox::cli {

/// GET `path` at http.listen, with http.token if there is one. Errors: unavailable, nobody answers; refused,
/// HTTP is turned off or its port is not fixed.
Result<HttpReply> ask_relay(const Config& config, const std::string& path);

}  // namespace outbox::cli
