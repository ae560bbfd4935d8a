#include "cli/mark_place.h"

#include <charconv>

#include "base/timestamp.h"

namespace outbox::cli {

std::optional<MarkPlace> parse_mark_place(const std::string& text) {
  using Kind = MarkPlace::Kind;
  if (text == "oldest") return MarkPlace{Kind::oldest, 0, ""};
  if (text == "now") return MarkPlace{Kind::now, 0, ""};
  MarkPlace place{Kind::seq, 0, ""};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, place.seq);
  if (error == std::errc{} && rest == end) return place.seq >= 0 ? std::optional(place) : std::nullopt;
  const auto time = parse_timestamp(text);
  if (!time) return std::nullopt;
  return MarkPlace{Kind::time, 0, format_timestamp(*time)};
}

std::string described(const MarkPlace& place) {
  switch (place.kind) {
    case MarkPlace::Kind::oldest:
      return "the oldest retained row";
    case MarkPlace::Kind::now:
      return "the present";
    case MarkPlace::Kind::seq:
      return "seq " + std::to_string(place.seq);
    case MarkPlace::Kind::time:
      return place.time;
  }
  return "";
}

}  // namespace outbox::cli
