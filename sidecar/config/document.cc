#include <toml++/toml.h>

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

Document parse_toml(std::string_view text) {
  Document document;
  try {
    document.root = converted(toml::parse(text));
  } catch (const toml::parse_error& error) {
    document.problem = Document::Problem{position_of(error.source()), without_quotation(error.description())};
  }
  return document;
}

}  // namespace

Document parse_document(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? parse_json(text) : parse_toml(text);
}

}  // namespace outbox
