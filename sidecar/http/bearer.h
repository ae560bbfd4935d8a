// Whether a client has the token. Pure.
#pragma once

#include <string_view>

namespace outbox {

/// `authorization`: the header's value. Takes the same time wherever the first difference is.
[[nodiscard]] bool has_bearer(std::string_view authorization, std::string_view token);

}  // namespace outbox
