// What people read: text for a terminal. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::cli {

/// For a terminal: control characters are shown as '?'. What databases, brokers and relays say passes through
/// here.
std::string printable(std::string_view text);

/// Rows under their headings, columns as wide as their widest cell, each printable().
std::string table(const std::vector<std::string>& headings,
                  const std::vector<std::vector<std::string>>& rows);

/// Of what /status answers; what is missing or of another kind is left out.
std::string status_text(const nlohmann::ordered_json& status);

/// "0.8 s", "3 min 20 s", "2 d 4 h"
std::string age_text(double seconds);

}  // namespace outbox::cli
