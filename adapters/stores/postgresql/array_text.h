// A PostgreSQL array as text, element by element:
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::postgresql {

class ArrayText {
 public:
  void add(std::string_view value) {
    separate();
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (c != '\0') text_ += c;
    }
    text_ += '"';
  }
  void add_null() {
    separate();
    text_ += "NULL";
  }
  void add_optional(const std::optional<std::string>& value) { value ? add(*value) : add_null(); }
  void add(std::int64_t value) { add(std::string_view(std::to_string(value))); }
  [[nodiscard]] std::string take() { return std::move(text_) + "}"; }

 private:
  void separate() {
    if (text_.size() > 1) text_ += ',';
  }
  std::string text_ = "{";
};

}  // namespace outbox::postgresql
