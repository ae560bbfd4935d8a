// The version of this build. Constant.
#pragma once

#include <string_view>

namespace outbox {

/// "1.2.3", as CMake's project() says.
std::string_view version();

}  // namespace outbox
