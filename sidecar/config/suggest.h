// "Did you mean ...?" for names that nobody knows. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox {

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate most like `name`; empty when none is alike.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// `, did you mean X?`, else `, allowed: a, b, c` when those are few, else nothing.
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace outbox
