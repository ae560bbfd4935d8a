// The relay's status for people. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace outbox::cli {

/// Of what /status answers; what is missing or of another kind is left out.
std::string status_text(const nlohmann::ordered_json& status);

/// "0.8 s", "3 min 20 s", "2 d 4 h"
std::string age_text(double seconds);

}  // namespace outbox::cli
