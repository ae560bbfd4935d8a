#include <toml++/toml.h>

#include <algorithm>

#include "config/document.h"

namespace outbox {
namespace {

Position position_of(const toml::source_region& region) {
  return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

Node converted(const toml::node& source) {
  Node node;
  node.at = position_of(source.source());
  if (const auto* table = source.as_table()) {
    node.kind = Node::Kind::table;
    for (const auto& [key, value] : *table) {
      Node& member = node.items.emplace_back(converted(value));
      member.name = std::string(key.str());
      member.name_at = position_of(key.source());
    }
  } else if (const auto* array = source.as_array()) {
    node.kind = Node::Kind::array;
    for (const auto& item : *array) node.items.push_back(converted(item));
  } else if (const auto* text = source.as_string()) {
    node.kind = Node::Kind::text;
    node.text = text->get();
  } else if (const auto* integer = source.as_integer()) {
    node.kind = Node::Kind::integer;
    node.integer = integer->get();
  } else if (const auto* boolean = source.as_boolean()) {
    node.kind = Node::Kind::boolean;
    node.boolean = boolean->get();
  } else if (source.is_floating_point()) {
    node.kind = Node::Kind::number;
  }
  return node;
}

/// The library's words up to where it begins to quote the file.
std::string without_quotation(std::string_view description) {
  for (std::string_view quotation : {", saw '", "; saw '", ", saw \"", "; '", "'"}) {
    const auto begin = description.find(quotation);
    if (begin != std::string_view::npos) description = description.substr(0, begin);
  }
  while (description.ends_with(' ')) description.remove_suffix(1);
  return description.empty() ? "this is no TOML" : std::string(description);
}

/// Dotted keys nest tables as deep as they are long, and the library bounds brackets alone. Counts the dots
/// outside strings and comments of one statement: of a line, with those that its brackets take in.
class DotCounter {
 public:
  explicit DotCounter(std::string_view text) : text_(text) {}

  /// Where a statement has more than `dots_max`; npos: nowhere.
  std::size_t find_too_many(std::size_t dots_max) {
    std::size_t dots = 0;
    int open = 0;
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') skip_string(c);
      if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size()) - 1;
      if (c == '[' || c == '{') ++open;
      if (c == ']' || c == '}') --open;
      if (c == '\n' && open <= 0) dots = 0;
      if (c == '.' && ++dots > dots_max) return at_;
    }
    return text_.npos;
  }

 private:
  /// To the last quote of the string, or the end of its line if it has none.
  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool is_long = text_.substr(at_).starts_with(three);
    for (at_ += is_long ? 3 : 1; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && quote == '"')
        ++at_;
      else if (is_long ? text_.substr(at_).starts_with(three) : text_[at_] == quote || text_[at_] == '\n')
        break;
    }
    if (is_long) at_ += 2;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

constexpr std::size_t dots_max = 64;

Document parse_toml(std::string_view text) {
  Document document;
  if (const auto at = DotCounter(text).find_too_many(dots_max); at != text.npos) {
    document.problem = Document::Problem{position_in(text, at), "nested too deeply"};
    return document;
  }
  try {
    document.root = converted(toml::parse(text));
  } catch (const toml::parse_error& error) {
    document.problem = Document::Problem{position_of(error.source()), without_quotation(error.description())};
  }
  return document;
}

}  // namespace

Position position_in(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return {static_cast<int>(std::ranges::count(before, '\n')) + 1,
          static_cast<int>(offset - (before.rfind('\n') + 1)) + 1};
}

Document parse_document(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? parse_json(text) : parse_toml(text);
}

}  // namespace outbox
