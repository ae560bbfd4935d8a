#include "adapters/common/headers_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json_text.h"
#include "base/text.h"

namespace outbox {
namespace {

class SimpleReader {
 public:
  explicit SimpleReader(std::string_view text) : text_(text) {}

  bool accept(char wanted) {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::optional<std::string_view> plain_string() {
    if (!accept('"')) return std::nullopt;
    const std::size_t begin = at_;
    for (; at_ < text_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') return text_.substr(begin, at_++ - begin);
      if (c < 0x20 || c >= 0x7f || c == '\\') return std::nullopt;
    }
    return std::nullopt;
  }

  [[nodiscard]] bool at_end() const {
    return text_.find_first_not_of(" \n\t\r", at_) == std::string_view::npos;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool simple_headers(std::string_view json, HeaderList& found) {
  SimpleReader reader(json);
  if (!reader.accept('{')) return false;
  if (reader.accept('}')) return reader.at_end();
  do {
    const auto name = reader.plain_string();
    if (!name || !reader.accept(':')) return false;
    const auto value = reader.plain_string();
    if (!value) return false;
    const auto same = std::ranges::find(found, *name, &Header::name);
    if (same != found.end())
      same->value = *value;
    else
      found.push_back({*name, *value});
  } while (reader.accept(','));
  return reader.accept('}') && reader.at_end();
}

std::string decode_headers(std::string_view json, std::vector<std::pair<std::string, std::string>>& found) {
  const auto document = read_json<nlohmann::ordered_json>(json);
  if (document.is_discarded())
    return std::string("headers is ") +
           (is_nested_deeper(json, json_depth_max) ? "nested too deeply" : "no valid JSON") +
           "; it must be an object of strings";
  if (!document.is_object())
    return std::string("headers is of JSON type ") + document.type_name() +
           "; it must be an object of strings";
  for (const auto& [name, value] : document.items()) {
    if (!value.is_string())
      return "headers: the value of \"" + cut(name) + "\" is of JSON type " + value.type_name() +
             "; only strings are allowed";
    found.emplace_back(name, value.get_ref<const std::string&>());
  }
  return {};
}

}  // namespace outbox
