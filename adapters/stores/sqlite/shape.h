// Whether the outbox table is what services and relay agree on. Runs on the caller's connection.
#pragma once

#include <string>
#include <vector>

#include "adapters/stores/sqlite/database.h"
#include "core/admin.h"

namespace outbox::sqlite {

/// One finding per fault of the table; empty when it is as it must be. Errors: unavailable.
Result<std::vector<Finding>> faults_of(Connection& connection, const std::string& table);

}  // namespace outbox::sqlite
