// The dashboard: one page, its style and script in it. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace outbox {

/// The page. `nonce` marks its style and script for the Content-Security-Policy.
[[nodiscard]] std::string dashboard_page(std::string_view nonce);

}  // namespace outbox
