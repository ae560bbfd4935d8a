#include "demo/narrator.h"

#include <cstdio>
#include <ostream>

namespace outbox::demo {

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first + 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

void Narrator::tell(std::string_view text) {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun_;
  char margin[32];
  std::snprintf(margin, sizeof margin, "%5.1f s  ", passed.count());
  paragraph(margin, text);
}

void Narrator::remark(std::string_view text) {
  paragraph("", text);
}

void Narrator::verbatim(std::string_view text) {
  out_ << text << std::flush;
}

/// Wrapped at the width of most terminals, the lines below each other.
void Narrator::paragraph(std::string_view margin, std::string_view text) {
  constexpr std::size_t width = 100;
  const std::size_t room = width - margin.size();
  out_ << margin;
  while (text.size() > room) {
    const std::size_t space = text.rfind(' ', room);
    const std::size_t end = space == text.npos ? text.find(' ') : space;
    if (end == text.npos) break;
    out_ << text.substr(0, end) << "\n" << std::string(margin.size(), ' ');
    text.remove_prefix(end + 1);
  }
  out_ << text << std::endl;
}

}  // namespace outbox::demo
