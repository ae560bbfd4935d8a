// What the demo tells while it runs. Owned by its only thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace outbox::demo {

/// "1,234,567"
std::string grouped(std::int64_t number);

class Narrator {
 public:
  explicit Narrator(std::ostream& out) : out_(out) {}

  /// A paragraph beside the time since the beginning, in seconds.
  void tell(std::string_view text);
  /// A paragraph without a time.
  void remark(std::string_view text);
  void verbatim(std::string_view text);

 private:
  void paragraph(std::string_view margin, std::string_view text);

  std::ostream& out_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace outbox::demo
