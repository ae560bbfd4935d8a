// One value of the configuration: what a key allows, and the value that a file, a variable or a flag gives
// it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/document.h"
#include "core/adapter.h"

namespace outbox {

/// What a key allows.
struct Rule {
  enum class Kind { text, integer, boolean, duration, choice, list };

  Kind kind = Kind::text;
  std::string_view choices{};  ///< for choice: "a|b|c"
  std::int64_t min = 0;        ///< integer; duration in milliseconds
  std::int64_t max = INT64_MAX;
  bool secret = false;    ///< never shown
  bool can_lack = false;  ///< duration: "" stands for none
  /// For text, and for each item of a list: what is wrong and what is allowed; empty when it is right.
  std::string (*check)(std::string_view) = nullptr;
};

Rule rule_of(const SettingSpec& spec);

std::vector<std::string> choices_of(std::string_view choices);

/// An empty text stands for no duration where the rule allows that.
using Value = std::variant<std::string, std::int64_t, bool, Duration, std::vector<std::string>>;

/// Durations as they are written: a whole number and a unit, ms, s, m, h, d. Nothing for any other text, or
/// beyond 100 years.
std::optional<Duration> parse_duration(std::string_view text);

/// In the largest unit that divides it; what is below a millisecond is cut off.
std::string duration_text(Duration duration);

/// "text", "an integer", ...: for people.
std::string_view described(Node::Kind kind);

struct Given {
  Node node;            ///< references replaced
  bool loose = false;   ///< text may stand for a number: it comes from a variable, a flag or a reference
  bool hidden = false;  ///< came by a reference: never shown
};

struct Converted {
  Value value;
  std::string problem;  ///< not empty: why there is no value, and what is allowed
};

Converted convert(const Rule& rule, const Given& given);

/// "1 to 1000000", "text | json", "a duration from 1s to 1h, as in 10s": for people.
std::string allowed(const Rule& rule);

}  // namespace outbox
