// The version of this build. Constant.
#pragma once

#include <string>

namespace outbox::cli {

/// "outboxd 1.2.3"
std::string version_line();

}  // namespace outbox::cli
