// What HTTP lets operators do, given by whoever starts the server: so it knows no adapter.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/admin.h"

namespace outbox {

/// Both are called on a thread of the server's own that may wait, and perhaps still when the server is gone:
/// they own or share what they use.
struct Administration {
  /// A session with the database as it is configured now; empty: there is no /v1.
  std::function<Result<std::unique_ptr<Admin>>()> open_admin;
  /// As SIGHUP. Errors: refused, says what is wrong with the new configuration.
  std::function<Result<void>(const std::string& actor)> reload;
};

}  // namespace outbox
