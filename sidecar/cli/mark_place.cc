#include "cli/mark_place.h"

#include "base/text.h"
#include "base/timestamp.h"

namespace outbox::cli {

std::optional<MarkPlace> parse_mark_place(const std::string& text) {
  using Kind = MarkPlace::Kind;
  if (text == "oldest") return MarkPlace{Kind::oldest, 0, ""};
  if (text == "now") return MarkPlace{Kind::now, 0, ""};
  if (const auto seq = parse_number<std::int64_t>(text))
    return *seq >= 0 ? std::optional(MarkPlace{Kind::seq, *seq, ""}) : std::nullopt;
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
