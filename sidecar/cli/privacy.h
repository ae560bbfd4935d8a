// Who could listen on the way to a database or broker, as far as its URL tells. Pure but for libpq's PG*.
#pragma once

#include <optional>
#include <string>

#include "core/admin.h"

namespace outbox::cli {

/// A warning, where the URL's login leaves this machine unprotected, or to a server that has not shown that
/// it is the right one.
std::optional<Finding> privacy_finding(const std::string& url);

}  // namespace outbox::cli
