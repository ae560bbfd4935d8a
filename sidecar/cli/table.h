// Columns for a terminal. Pure.
#pragma once

#include <string>
#include <vector>

namespace outbox::cli {

/// Rows under their headings, columns as wide as their widest cell, control characters shown as '?'.
std::string table(const std::vector<std::string>& headings,
                  const std::vector<std::vector<std::string>>& rows);

}  // namespace outbox::cli
