#include "http/exposition.h"

#include <array>
#include <charconv>
#include <cmath>

namespace outbox {
namespace {

/// Shortest text that reads back as the same number, whatever the locale.
std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text;
  const auto [end, failed] = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), end);
}

void append_escaped(std::string& text, std::string_view value) {
  for (const char character : value) {
    if (character == '\\') {
      text += "\\\\";
    } else if (character == '"') {
      text += "\\\"";
    } else if (character == '\n') {
      text += "\\n";
    } else {
      text += character;
    }
  }
}

void append_label(std::string& text, std::string_view name, std::string_view value) {
  text += text.ends_with('{') ? "" : ",";
  text += name;
  text += "=\"";
  append_escaped(text, value);
  text += '"';
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void Exposition::sample(Labels labels, double value) {
  line("", labels, {}, number(value));
}

void Exposition::histogram(Labels labels, const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t bucket = 0; bucket < histogram.counts.size(); ++bucket) {
    total += histogram.counts[bucket];
    const bool is_last = bucket == Histogram::bounds.size();
    line("_bucket", labels, is_last ? "+Inf" : number(Histogram::bounds[bucket]), std::to_string(total));
  }
  line("_sum", labels, {}, number(histogram.sum));
  line("_count", labels, {}, std::to_string(total));
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view bound,
                      std::string_view value) {
  text_.append(name_).append(suffix);
  if (labels.size() != 0 || !bound.empty()) {
    text_ += '{';
    for (const auto& [name, content] : labels) append_label(text_, name, content);
    if (!bound.empty()) append_label(text_, "le", bound);
    text_ += '}';
  }
  text_.append(" ").append(value).append("\n");
}

}  // namespace outbox
