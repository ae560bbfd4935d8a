#include "config/duration.h"

#include <array>
#include <charconv>

namespace outbox {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};

constexpr std::array units = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000},
                              Unit{"ms", 1}};
constexpr std::int64_t milliseconds_max = 36'525 * units[0].milliseconds;

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units)
    if (unit.name == name && count <= milliseconds_max / unit.milliseconds)
      return std::chrono::milliseconds(count * unit.milliseconds);
  return std::nullopt;
}

std::string duration_text(Duration duration) {
  const std::int64_t milliseconds = std::chrono::floor<std::chrono::milliseconds>(duration).count();
  if (milliseconds == 0) return "0s";
  for (const Unit& unit : units)
    if (milliseconds % unit.milliseconds == 0)
      return std::to_string(milliseconds / unit.milliseconds) + std::string(unit.name);
  return "";
}

}  // namespace outbox
