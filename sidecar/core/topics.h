// Which topics a route takes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox {

/// A list of patterns, each a topic in which '*' stands for any run of characters, also an empty one.
class Topics {
 public:
  explicit Topics(std::vector<std::string> patterns);

  [[nodiscard]] bool take(std::string_view topic) const;

  [[nodiscard]] const std::vector<std::string>& patterns() const { return patterns_; }

 private:
  std::vector<std::string> patterns_;
  bool all_ = false;
};

}  // namespace outbox
