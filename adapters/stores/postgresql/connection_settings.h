// What a database URL says, as libpq's parameters with this program's defaults added. Pure but for the
// environment's PG*.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace outbox::postgresql {

using ConnectionSettings = std::vector<std::pair<std::string, std::string>>;

/// Errors: misconfigured, without repeating any of the URL's values.
Result<ConnectionSettings> connection_settings(const std::string& url);

/// Empty: not set.
std::string value_of(const ConnectionSettings& settings, std::string_view name);

/// The same as one string of keyword='value' pairs. Holds secrets.
std::string connection_string(const ConnectionSettings& settings);

/// host:port/database, for error texts.
std::string place_of(const ConnectionSettings& settings);

}  // namespace outbox::postgresql
